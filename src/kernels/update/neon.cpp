#include "update/kernel.hpp"

namespace darter::neon {

extern const UpdateKernel update_kernel;
const UpdateKernel update_kernel = update;

}  // namespace darter::neon
