// A layer's shape as Python gives it. Only for register.cpp files.
#pragma once
#include <stdexcept>
#include <vector>

#include "conv/convolution.hpp"

namespace darter {

inline ConvSpec spec_from(const std::vector<int64_t>& v) {
    if (v.size() != 16) throw std::invalid_argument("a convolution has 16 numbers");
    return {v[0], v[1], v[2],  v[3],  v[4],  v[5],  v[6],  v[7],
            v[8], v[9], v[10], v[11], v[12], v[13], v[14], v[15]};
}

}  // namespace darter
