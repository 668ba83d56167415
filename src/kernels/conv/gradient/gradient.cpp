// What darter.conv calls the algorithms of gradients.
#include "conv/gradient/gradient.hpp"

#include <stdexcept>

namespace darter {

std::unique_ptr<InputGradient> input_gradient(const std::string& name, const ConvSpec& spec) {
    if (name == "direct") return make_input_gradient_direct(spec, Precision::float32);
    if (name == "direct-bfloat16") return make_input_gradient_direct(spec, Precision::bfloat16);
    if (name == "depthwise") return make_input_gradient_depthwise(spec);
    if (name == "depthwise-rotated")
        return make_input_gradient_rotated(spec, [](const ConvSpec& s, const Filters& f) {
            return make_depthwise(s, f, Border::zeros);
        });
    if (name == "winograd-2")
        return make_input_gradient_rotated(spec, [](const ConvSpec& s, const Filters& f) {
            return make_winograd(s, f, 2, Precision::float32);
        });
    if (name == "winograd-4")
        return make_input_gradient_rotated(spec, [](const ConvSpec& s, const Filters& f) {
            return make_winograd(s, f, 4, Precision::float32);
        });
    if (name == "winograd-6")
        return make_input_gradient_rotated(spec, [](const ConvSpec& s, const Filters& f) {
            return make_winograd(s, f, 6, Precision::float32);
        });
    if (name == "winograd-2-bfloat16")
        return make_input_gradient_rotated(spec, [](const ConvSpec& s, const Filters& f) {
            return make_winograd(s, f, 2, Precision::bfloat16);
        });
    throw std::invalid_argument("no input gradient " + name);
}

std::unique_ptr<FilterGradient> filter_gradient(const std::string& name, const ConvSpec& spec) {
    if (name == "direct") return make_filter_gradient_direct(spec);
    if (name == "depthwise") return make_filter_gradient_depthwise(spec);
    if (name == "winograd-2") return make_filter_gradient_winograd(spec, 2);
    if (name == "winograd-4") return make_filter_gradient_winograd(spec, 4);
    if (name == "winograd-6") return make_filter_gradient_winograd(spec, 6);
    if (name == "direct-bfloat16") return make_filter_gradient_pairs(spec);
    if (name == "winograd-2-bfloat16") return make_filter_gradient_winograd_pairs(spec, 2);
    if (name == "winograd-4-bfloat16") return make_filter_gradient_winograd_pairs(spec, 4);
    if (name == "few-channels" || name == "few-channels-plain")
        return make_filter_gradient_few_channels(spec, Precision::float32, name.ends_with("plain"));
    if (name == "few-channels-bfloat16" || name == "few-channels-bfloat16-plain")
        return make_filter_gradient_few_channels(spec, Precision::bfloat16, name.ends_with("plain"));
    throw std::invalid_argument("no filter gradient " + name);
}

}  // namespace darter
