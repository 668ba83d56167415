// What batch normalization's steps share: where their vectors lie, and the sums of each lane.
#pragma once
#include <algorithm>

#include "training/steps.hpp"

namespace darter::training::normalization {

// Which of the vectors.
enum Vector { mean, inverse, scale, shift, of_g, of_y, constant };

inline float* vector(const Context& c, Slot slot, const Planes& planes, Vector which) {
    return slot.kind == Slot::none ? nullptr : c[slot] + which * planes.blocks() * kBlock;
}

// Of one block in one lane: 16 float32, and two times 16 float64.
struct LaneSums {
    float* from;
    double *sum, *other;
};

inline LaneSums lane_sums(const Context& c, Slot slot, const Planes& planes, int64_t lane,
                          int64_t block) {
    float* at = c[slot] + (lane * planes.blocks() + block) * kLaneSums * kBlock;
    double* sums = reinterpret_cast<double*>(at + kBlock);
    return {at, sums, sums + kBlock};
}

inline void clear(const LaneSums& sums) {
    std::fill_n(sums.sum, 2 * kBlock, 0.0);
}

inline int64_t lane_images(const Context& c, int64_t lane) {
    return (lane + 1) * c.count / c.lanes - lane * c.count / c.lanes;
}

}  // namespace darter::training::normalization
