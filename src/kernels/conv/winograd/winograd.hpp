// The Winograd transforms that an instruction set has.
#pragma once
#include "conv/tiled/tiled.hpp"

namespace darter {

struct WinogradKernels {
    TileTransform all[11];
};

}  // namespace darter
