#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>
#include <utility>

#include "activation/given.hpp"
#include "conv/convolution.hpp"
#include "conv/spec_from.hpp"
#include "register.hpp"

namespace darter {
namespace {

using Input = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using Output = nb::ndarray<float, nb::c_contig, nb::device::cpu>;

using Maker = std::unique_ptr<Convolution> (*)(const ConvSpec&, const Filters&);

// What darter.conv.ALGORITHMS calls its algorithms here, and depthwise ones with other borders.
const std::pair<const char*, Maker> kMakers[] = {
    {"direct", [](auto& s, auto& f) { return make_direct(s, f, Precision::float32); }},
    {"direct-bfloat16", [](auto& s, auto& f) { return make_direct(s, f, Precision::bfloat16); }},
    {"depthwise", [](auto& s, auto& f) { return make_depthwise(s, f, Border::zeros); }},
    {"depthwise-reflect", [](auto& s, auto& f) { return make_depthwise(s, f, Border::reflect); }},
    {"depthwise-edge", [](auto& s, auto& f) { return make_depthwise(s, f, Border::edge); }},
    {"im2col", [](auto& s, auto& f) { return make_im2col(s, f); }},
    {"winograd-2", [](auto& s, auto& f) { return make_winograd(s, f, 2, Precision::float32); }},
    {"winograd-4", [](auto& s, auto& f) { return make_winograd(s, f, 4, Precision::float32); }},
    {"winograd-6", [](auto& s, auto& f) { return make_winograd(s, f, 6, Precision::float32); }},
    {"winograd-4-on-the-fly", [](auto& s, auto& f) { return make_winograd_on_the_fly(s, f); }},
    {"winograd-2-bfloat16",
     [](auto& s, auto& f) { return make_winograd(s, f, 2, Precision::bfloat16); }},
    {"winograd-4-bfloat16",
     [](auto& s, auto& f) { return make_winograd(s, f, 4, Precision::bfloat16); }},
    {"fft-16", [](auto& s, auto& f) { return make_fft(s, f, 16); }},
    {"fft-32", [](auto& s, auto& f) { return make_fft(s, f, 32); }},
    {"fft-64", [](auto& s, auto& f) { return make_fft(s, f, 64); }},
};

std::unique_ptr<Convolution> prepare(const std::string& algorithm, const ConvSpec& spec,
                                     const Filters& filters) {
    for (const auto& [name, make] : kMakers)
        if (algorithm == name) return make(spec, filters);
    throw std::invalid_argument("no algorithm " + algorithm);
}

void expect_size(const char* name, size_t got, int64_t expected) {
    if (static_cast<int64_t>(got) != expected)
        throw std::invalid_argument(std::string(name) + " has " + std::to_string(got) +
                                    " numbers, expected " + std::to_string(expected));
}

// x and y plain (N, C, H, W) or blocked.
void run(const Convolution& conv, const Input& x, const Output& y,
         const std::optional<Input>& residual, bool x_blocked, bool y_blocked) {
    const ConvSpec& spec = conv.spec;
    int64_t in_pixels = spec.h * spec.w, out_pixels = spec.out_h() * spec.out_w();
    int64_t y_plain = spec.n * spec.k * out_pixels;
    expect_size("x", x.size(), x_blocked ? spec.x_size() : spec.n * spec.c * in_pixels);
    expect_size("y", y.size(), y_blocked ? spec.y_size() : y_plain);
    if (residual) expect_size("residual", residual->size(), y_blocked ? spec.y_size() : y_plain);
    nb::gil_scoped_release unlocked;
    if (y.size() == 0) return;

    conv.run_any({.x = x.data(),
                  .y = y.data(),
                  .residual = residual ? residual->data() : nullptr,
                  .plain_x = !x_blocked,
                  .plain_y = !y_blocked});
}

}  // namespace

void register_conv(nb::module_& m) {
    nb::class_<Convolution>(m, "Convolution")
        .def_prop_ro("plain_input", &Convolution::plain_input)
        .def_prop_ro("plain_output", &Convolution::plain_output)
        .def_prop_ro("weight_bytes", &Convolution::weight_bytes)
        .def("takes", &Convolution::takes, nb::arg("x"), nb::arg("y"))
        .def("placed",
             [](const Convolution& conv, int64_t n, int64_t x_blocks, int64_t y_blocks) {
                 return std::shared_ptr<Convolution>(conv.placed(n, x_blocks, y_blocks));
             },
             nb::arg("n"), nb::arg("x_blocks"), nb::arg("y_blocks"))
        .def("run", &run, nb::arg("x"), nb::arg("y"), nb::arg("residual").none(),
             nb::arg("x_blocked"), nb::arg("y_blocked"));
    m.def(
        "prepare_convolution",
        [](const std::string& algorithm, const std::vector<int64_t>& spec, const Input& w,
           const std::optional<Input>& bias, const Activated& activation) {
            ConvSpec shape = spec_from(spec);
            expect_size("w", w.size(), shape.k * (shape.c / shape.groups) * shape.r * shape.s);
            if (bias) expect_size("bias", bias->size(), shape.k);
            Activation f = activation_of(activation);
            Filters filters{w.data(), bias ? bias->data() : nullptr, f.low(), f.high(), f};
            nb::gil_scoped_release unlocked;
            return std::shared_ptr<Convolution>(prepare(algorithm, shape, filters));
        },
        nb::arg("algorithm"), nb::arg("spec"), nb::arg("w"), nb::arg("bias").none(),
        nb::arg("activation"));
    m.def(
        "to_blocked",
        [](const Input& x, const Output& out, int64_t n, int64_t c, int64_t pixels) {
            expect_size("x", x.size(), n * c * pixels);
            expect_size("out", out.size(), n * blocks_of(c) * pixels * kBlock);
            nb::gil_scoped_release unlocked;
            to_blocked(x.data(), out.data(), n, c, pixels);
        },
        nb::arg("x"), nb::arg("out"), nb::arg("n"), nb::arg("c"), nb::arg("pixels"));
    m.def(
        "from_blocked",
        [](const Input& x, const Output& out, int64_t n, int64_t c, int64_t pixels) {
            expect_size("x", x.size(), n * blocks_of(c) * pixels * kBlock);
            expect_size("out", out.size(), n * c * pixels);
            nb::gil_scoped_release unlocked;
            from_blocked(x.data(), out.data(), n, c, pixels);
        },
        nb::arg("x"), nb::arg("out"), nb::arg("n"), nb::arg("c"), nb::arg("pixels"));
}

}  // namespace darter
