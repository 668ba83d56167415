#include "update/kernel.hpp"

namespace darter::scalar {

extern const UpdateKernel update_kernel;
const UpdateKernel update_kernel = update;

}  // namespace darter::scalar
