// Functions of one number, applied to arrays in place.
#pragma once
#include <cstdint>

namespace darter {

// The names and parameters of darter.net.ops.Activation, in the order of kActivationNames.
struct Activation {
    enum Kind {
        none, relu, clip, leaky_relu, elu, sigmoid, hard_sigmoid, swish, hard_swish, gelu, gelu_tanh,
        tanh, softplus, mish, erf, exp, sqrt, reciprocal, power,
        round_clip, count
    };
    Kind kind = none;
    float a = 0, b = 0;

    bool clamps() const { return kind == none || kind == relu || kind == clip; }
    float low() const;   // of what clamps
    float high() const;
};

constexpr const char* kActivationNames[] = {
    "none", "relu", "clip", "leaky_relu", "elu", "sigmoid", "hard_sigmoid", "swish", "hard_swish",
    "gelu", "gelu_tanh", "tanh", "softplus", "mish", "erf", "exp", "sqrt", "reciprocal", "power",
    "round_clip"};

// values: any number of floats. Relative accuracy about 3e-7 (the gelus: 3e-7 of |x|).
using ActivationKernel = void (*)(const Activation&, float* values, int64_t count);
ActivationKernel activation_kernel();  // of the active instruction set

}  // namespace darter
