// Pixels of up to 16 planes (N, C, H, W) to one block of channels, and back.
#pragma once
#include <cstdint>

namespace darter {

struct BlockOfPlanes {
    int64_t plane;     // floats between the planes
    int64_t channels;  // 1 ... 16; the missing ones are 0 in the block
    int64_t pixels;    // neighbours in each plane; 16 floats each in the block
    int64_t ahead;     // so many floats after what is read lies what is fetched meanwhile; or 0
};

struct LayoutKernels {
    void (*to_block)(const float* planes, float* block, const BlockOfPlanes& size);
    void (*from_block)(const float* block, float* planes, const BlockOfPlanes& size);
};

const LayoutKernels& layout_kernels();  // of the active instruction set

}  // namespace darter
