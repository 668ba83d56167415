// An activation as Python gives it. Only for register.cpp files.
#pragma once
#include <stdexcept>
#include <string>
#include <tuple>

#include "activation/activation.hpp"

namespace darter {

using Named = std::tuple<std::string, float, float>;  // kind, a, b

inline Activation activation_of(const Named& named) {
    const auto& [name, a, b] = named;
    for (int kind = 0; kind < Activation::count; ++kind)
        if (name == kActivationNames[kind]) return {static_cast<Activation::Kind>(kind), a, b};
    throw std::invalid_argument("no activation " + name);
}

}  // namespace darter
