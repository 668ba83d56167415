#include "update/kernel.hpp"

namespace darter::avx2 {

extern const UpdateKernel update_kernel;
const UpdateKernel update_kernel = update;

}  // namespace darter::avx2
