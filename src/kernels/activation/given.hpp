// An activation as Python gives it. Only for register.cpp files.
#pragma once
#include <tuple>

#include "activation/activation.hpp"

namespace darter {

using Activated = std::tuple<Activation::Kind, float, float>;  // kind, a, b

inline Activation activation_of(const Activated& given) {
    const auto& [kind, a, b] = given;
    return {kind, a, b};
}

}  // namespace darter
