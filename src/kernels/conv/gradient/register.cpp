#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "conv/gradient/gradient.hpp"
#include "conv/spec_from.hpp"
#include "register.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace {

using Input = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using Output = nb::ndarray<float, nb::c_contig, nb::device::cpu>;

void expect(const char* name, size_t got, int64_t expected) {
    if (static_cast<int64_t>(got) != expected)
        throw std::invalid_argument(std::string(name) + " has " + std::to_string(got) +
                                    " numbers, expected " + std::to_string(expected));
}

int64_t filter_floats(const ConvSpec& s) { return s.k * (s.c / s.groups) * s.r * s.s; }

}  // namespace

void register_gradient(nb::module_& m) {
    nb::class_<InputGradient>(m, "InputGradient")
        .def("set_filters",
             [](InputGradient& g, const Input& w) {
                 expect("w", w.size(), filter_floats(g.spec));
                 nb::gil_scoped_release unlocked;
                 g.set_filters(w.data());
             })
        .def("run", [](const InputGradient& g, const Input& dy, const Output& dx, bool accumulate) {
            const int64_t images = g.spec.n;
            expect("dy", dy.size(), images * g.spec.y_image());
            expect("dx", dx.size(), images * g.spec.x_image());
            nb::gil_scoped_release unlocked;
            if (images) g.run(dy.data(), dx.data(), images, accumulate);
        });
    nb::class_<FilterGradient>(m, "FilterGradient")
        .def_prop_ro("sum_floats", &FilterGradient::sum_floats)
        // dw of all images, summed in so many parts of the batch.
        .def("run", [](const FilterGradient& g, const Input& x, const Input& dy, const Output& dw,
                       int64_t parts) {
            const ConvSpec& s = g.spec;
            expect("x", x.size(), s.n * s.x_image());
            expect("dy", dy.size(), s.n * s.y_image());
            expect("dw", dw.size(), filter_floats(s));
            nb::gil_scoped_release unlocked;
            if (s.n == 0) {
                std::fill_n(dw.data(), dw.size(), 0.0f);
                return;
            }
            parts = std::clamp<int64_t>(parts, 1, s.n);
            if (parts == 1)
                return g.whole(x.data(), dy.data(), s.n,
                               scratch(Scratch::gradient, g.whole_floats(s.n)), dw.data());
            // Memory that is kept: new pages may cost more than what is summed into them.
            float* sums = scratch(Scratch::gradient, parts * g.sum_floats());
            auto add = [&](size_t part) {
                const int64_t i = static_cast<int64_t>(part);
                const int64_t from = i * s.n / parts, to = (i + 1) * s.n / parts;
                g.add(x.data() + from * s.x_image(), dy.data() + from * s.y_image(), to - from,
                      sums + i * g.sum_floats(), true);
            };
            parallel_for(parts, add);
            g.finish(sums, parts, dw.data());
        });
    m.def("input_gradient", [](const std::string& name, const std::vector<int64_t>& spec) {
        return std::shared_ptr<InputGradient>(input_gradient(name, spec_from(spec)));
    });
    m.def("filter_gradient", [](const std::string& name, const std::vector<int64_t>& spec) {
        return std::shared_ptr<FilterGradient>(filter_gradient(name, spec_from(spec)));
    });
}

}  // namespace darter
