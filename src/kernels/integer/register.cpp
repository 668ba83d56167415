#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>

#include "integer/integer.hpp"
#include "register.hpp"

namespace darter {
namespace {

template <class T>
using In = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;
template <class T>
using Out = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
using Numbers = std::vector<float>;

void check(size_t got, int64_t expected, const char* message) {
    if (static_cast<int64_t>(got) != expected) throw std::invalid_argument(message);
}

IntegerSpec spec_of(const std::vector<int64_t>& v) {
    check(v.size(), 15, "an integer convolution has 15 numbers");
    return {v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], v[12], v[13], v[14]};
}

std::shared_ptr<IntegerConvolution> make(const std::vector<int64_t>& v, In<int8_t> w,
                                         In<int32_t> bias, int x_zero, const Numbers& scale,
                                         const Numbers& limits, bool to_float,
                                         const std::optional<Numbers>& residual,
                                         IntegerAlgorithm algorithm) {
    const IntegerSpec spec = spec_of(v);
    const bool alone = spec.groups == spec.c && spec.k == spec.c;
    if (spec.groups != 1 && !alone) throw std::invalid_argument("groups must be 1, or each channel");
    if (spec.out_h() < 1 || spec.out_w() < 1) throw std::invalid_argument("no window fits");
    check(w.size(), spec.k * (spec.c / spec.groups) * spec.r * spec.s, "w has another size");
    check(bias.size(), spec.k, "bias has another size");
    check(scale.size(), spec.k, "scale has another size");
    check(limits.size(), 3, "limits are the least, the most and zero");
    std::optional<IntegerResidual> added;
    if (residual) {
        check(residual->size(), 6, "a residual has 6 numbers");
        const Numbers& r = *residual;
        added = IntegerResidual{r[0], r[1], r[2], r[3], r[4], r[5] != 0};
    }
    const IntegerAfter after{scale, limits[0], limits[1], limits[2], to_float};
    return std::make_shared<IntegerConvolution>(spec, w.data(), bias.data(),
                                                static_cast<uint8_t>(x_zero), after, added, algorithm);
}

template <class T>
void run(const IntegerConvolution& layer, In<uint8_t> x, Out<T> y, std::optional<In<uint8_t>> residual,
         int64_t n) {
    const IntegerSpec& s = layer.spec;
    const Blocked in{n, s.c, s.h, s.w, blocks_of(s.c), Element::uint8};
    const Blocked out{n, s.k, s.out_h(), s.out_w(), blocks_of(s.k), Element::uint8};
    check(x.size(), n * in.image(), "x has another size");
    check(y.size(), n * out.image(), "y has another size");
    if (layer.to_float() != (sizeof(T) == sizeof(float)))
        throw std::invalid_argument("the layer gives another type");
    if (layer.adds() != residual.has_value())
        throw std::invalid_argument("a residual is given just where the layer adds one");
    if (residual) check(residual->size(), n * out.image(), "the residual has another size");
    nb::gil_scoped_release release;
    layer.run(in, x.data(), out, y.data(), residual ? residual->data() : nullptr);
}

}  // namespace

void register_integer(nb::module_& m) {
    nb::class_<IntegerConvolution>(m, "IntegerConvolution")
        .def("run", &run<uint8_t>, nb::arg("x"), nb::arg("y"), nb::arg("residual").none(),
             nb::arg("n"))
        .def("run_to_float", &run<float>, nb::arg("x"), nb::arg("y"), nb::arg("residual").none(),
             nb::arg("n"))
        .def_prop_ro("algorithm", &IntegerConvolution::algorithm)
        .def_prop_ro("weight_bytes", &IntegerConvolution::weight_bytes);
    m.def(
        "integer_algorithm",
        [](const std::vector<int64_t>& v, int64_t n) { return integer_algorithm(spec_of(v), n); },
        nb::arg("spec"), nb::arg("n"));
    m.def("integer_convolution", &make, nb::arg("spec"), nb::arg("w"), nb::arg("bias"),
          nb::arg("x_zero"), nb::arg("scale"), nb::arg("limits"), nb::arg("to_float"),
          nb::arg("residual").none(), nb::arg("algorithm"));
    m.def(
        "add_integers",
        [](In<uint8_t> a, In<uint8_t> b, Out<uint8_t> y, const Numbers& numbers) {
            check(b.size(), a.size(), "b has another size");
            check(y.size(), a.size(), "y has another size");
            check(numbers.size(), 5, "a sum has 5 numbers");
            nb::gil_scoped_release release;
            integer_kernels().add(a.data(), b.data(), y.data(), a.size(), numbers.data());
        },
        nb::arg("a"), nb::arg("b"), nb::arg("y"), nb::arg("numbers"));
    m.def(
        "quantize",
        [](In<float> x, Out<uint8_t> q, float step, float low, float high, float zero) {
            check(q.size(), x.size(), "q has another size");
            nb::gil_scoped_release release;
            integer_kernels().quantize(x.data(), q.data(), x.size(), step, low, high, zero);
        },
        nb::arg("x"), nb::arg("q"), nb::arg("step"), nb::arg("low"), nb::arg("high"),
        nb::arg("zero"));
    m.def(
        "dequantize",
        [](In<uint8_t> q, Out<float> x, float scale, float zero) {
            check(x.size(), q.size(), "x has another size");
            nb::gil_scoped_release release;
            integer_kernels().dequantize(q.data(), x.data(), q.size(), scale, zero);
        },
        nb::arg("q"), nb::arg("x"), nb::arg("scale"), nb::arg("zero"));
}

}  // namespace darter
