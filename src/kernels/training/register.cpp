#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <string>

#include "activation/given.hpp"
#include "conv/spec_from.hpp"
#include "register.hpp"
#include "training/steps.hpp"

namespace darter {
namespace {

using namespace training;
using Place = std::tuple<int, int64_t, int64_t>;      // kind, at, image: as in training::Slot
using Size = std::pair<int64_t, int64_t>;             // channels, pixels

Slot slot(const Place& place) {
    const auto& [kind, at, image] = place;
    if (kind < Slot::none || kind > Slot::given) throw std::invalid_argument("no such slot");
    return {static_cast<Slot::Kind>(kind), at, image};
}

Planes planes(const Size& size) { return {size.first, size.second}; }

PoolWindows windows(const std::vector<int64_t>& v) {
    if (v.size() != 13) throw std::invalid_argument("a pool has 13 numbers");
    return {v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11] != 0, v[12] != 0};
}

// Addresses as Python gives them, of arrays that the caller keeps alive.
std::vector<float*> pointers(const std::vector<uint64_t>& addresses) {
    std::vector<float*> all;
    for (uint64_t address : addresses)
        all.push_back(reinterpret_cast<float*>(static_cast<uintptr_t>(address)));
    return all;
}

}  // namespace

void register_training(nb::module_& root) {
    nb::module_ m = root.def_submodule("training", "A training step of a whole net.");
    nb::class_<Step>(m, "Step");
    nb::class_<training::Plan>(m, "Plan")
        .def(nb::init<int64_t>(), nb::arg("images"))
        .def("__len__", &training::Plan::size)
        .def(
            "add",
            [](training::Plan& plan, std::vector<StepPointer> steps, int64_t lanes, int64_t group,
               int64_t scratch) {
                if (lanes < 1 || group < 1) throw std::invalid_argument("a chain needs a lane");
                plan.add({std::move(steps), lanes, group, scratch});
            },
            nb::arg("steps"), nb::arg("lanes"), nb::arg("group"), nb::arg("scratch"))
        .def(
            "run",
            [](training::Plan& plan, size_t first, size_t last, uint64_t arena,
               const std::vector<uint64_t>& given, uint64_t seed) {
                const std::vector<float*> arrays = pointers(given);
                std::vector<double> seconds(plan.size());
                {
                    nb::gil_scoped_release unlocked;
                    plan.run(first, last, pointers({arena})[0], arrays.data(), seed, seconds.data());
                }
                return seconds;
            },
            nb::arg("first"), nb::arg("last"), nb::arg("arena"), nb::arg("given"), nb::arg("seed"));

    m.attr("VECTORS") = kVectors;
    m.attr("LANE_SUMS") = kLaneSums;
    m.def("filter_gradient_floats",
          [](const std::string& name, const std::vector<int64_t>& spec, bool whole) {
              return filter_gradient_floats(name, spec_from(spec), whole);
          });
    m.def("convolution", [](const std::string& name, const std::vector<int64_t>& spec, Place x,
                            Place y, Place w, Place bias, const Activated& clamp, bool plain_x) {
        return convolution_step(name, spec_from(spec), slot(x), slot(y), slot(w), slot(bias),
                                activation_of(clamp), plain_x);
    });
    m.def("input_gradient", [](const std::string& name, const std::vector<int64_t>& spec, Place dy,
                               Place dx, Place w, bool accumulate) {
        return input_gradient_step(name, spec_from(spec), slot(dy), slot(dx), slot(w), accumulate);
    });
    m.def("filter_gradient", [](const std::string& name, const std::vector<int64_t>& spec, Place x,
                                Place dy, Place sums, Place dw, bool whole) {
        return filter_gradient_step(name, spec_from(spec), slot(x), slot(dy), slot(sums), slot(dw),
                                    whole);
    });
    m.def("statistics", [](Size size, Place y, Place sums, Place vectors, Place gamma, Place beta,
                           Place running_mean, Place running_variance, float momentum,
                           float epsilon) {
        return statistics_step(planes(size), slot(y), slot(sums), slot(vectors), slot(gamma),
                               slot(beta), slot(running_mean), slot(running_variance), momentum,
                               epsilon);
    });
    m.def("frozen_statistics", [](Size size, Place vectors, Place gamma, Place beta,
                                  Place running_mean, Place running_variance, float epsilon) {
        return frozen_statistics_step(planes(size), slot(vectors), slot(gamma), slot(beta),
                                      slot(running_mean), slot(running_variance), epsilon);
    });
    m.def("normalize", [](Size size, Place y, Place residual, Place z, Place vectors,
                          const Activated& activation) {
        return normalize_step(planes(size), slot(y), slot(residual), slot(z), slot(vectors),
                              activation_of(activation));
    });
    m.def("normalize_sums",
          [](Size size, Place dz, Place y, Place z, Place dresidual, bool accumulate, Place sums,
             Place vectors, Place dgamma, Place dbeta, const Activated& activation, bool frozen) {
              return normalize_sums_step(planes(size), slot(dz), slot(y), slot(z), slot(dresidual),
                                         accumulate, slot(sums), slot(vectors), slot(dgamma),
                                         slot(dbeta), activation_of(activation), frozen);
          });
    m.def("normalize_gradient", [](Size size, Place dz, Place y, Place z, Place dy, bool accumulate,
                                   Place vectors, const Activated& activation) {
        return normalize_gradient_step(planes(size), slot(dz), slot(y), slot(z), slot(dy),
                                       accumulate, slot(vectors), activation_of(activation));
    });
    m.def("bias_gradient", [](Size size, Place dy, Place sums, Place dbias) {
        return bias_gradient_step(planes(size), slot(dy), slot(sums), slot(dbias));
    });
    m.def("copy", [](int64_t floats, Place from, Place to, bool accumulate) {
        return copy_step(floats, slot(from), slot(to), accumulate);
    });
    m.def("gate", [](Size size, Place x, Place gate, Place z) {
        return gate_step(planes(size), slot(x), slot(gate), slot(z));
    });
    m.def("gate_gradient", [](Size size, Place x, Place gate, Place dz, Place dx, bool accumulate_x,
                              Place dgate, bool accumulate_gate) {
        return gate_gradient_step(planes(size), slot(x), slot(gate), slot(dz), slot(dx),
                                  accumulate_x, slot(dgate), accumulate_gate);
    });
    m.def("slice", [](Size whole, Size part, int64_t first, Place from, Place to, bool join,
                      bool accumulate) {
        return slice_step(planes(whole), planes(part), first, slot(from), slot(to), join, accumulate);
    });
    m.def("dropout", [](int64_t floats, Place x, Place y, float p, uint64_t stream, bool accumulate) {
        return dropout_step(floats, slot(x), slot(y), p, stream, accumulate);
    });
    m.def("pool", [](const std::vector<int64_t>& shape, Place x, Place y) {
        return pool_step(windows(shape), slot(x), slot(y));
    });
    m.def("pool_gradient", [](const std::vector<int64_t>& shape, Place x, Place y, Place dy, Place dx,
                              bool accumulate) {
        return pool_gradient_step(windows(shape), slot(x), slot(y), slot(dy), slot(dx), accumulate);
    });
    m.def("widen", [](int64_t numbers, Place from, Place to) {
        return widen_step(numbers, slot(from), slot(to));
    });
    m.def("shorten", [](int64_t numbers, Place from, Place to) {
        return shorten_step(numbers, slot(from), slot(to));
    });
    m.def("to_blocked", [](Size size, Place plain, Place blocked, bool accumulate) {
        return to_blocked_step(planes(size), slot(plain), slot(blocked), accumulate);
    });
    m.def("from_blocked", [](Size size, Place blocked, Place plain, bool accumulate) {
        return from_blocked_step(planes(size), slot(blocked), slot(plain), accumulate);
    });
    m.def("linear", [](int64_t inputs, int64_t outputs, Place x, Place w, Place bias, Place y) {
        return linear_step(inputs, outputs, slot(x), slot(w), slot(bias), slot(y));
    });
    m.def("linear_input_gradient", [](int64_t inputs, int64_t outputs, Place dy, Place w, Place dx,
                                      bool accumulate) {
        return linear_input_gradient_step(inputs, outputs, slot(dy), slot(w), slot(dx), accumulate);
    });
    m.def("linear_filter_gradient", [](int64_t inputs, int64_t outputs, Place x, Place dy, Place dw,
                                       Place dbias) {
        return linear_filter_gradient_step(inputs, outputs, slot(x), slot(dy), slot(dw), slot(dbias));
    });
}

}  // namespace darter
