#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "register.hpp"
#include "runtime/isa.hpp"
#include "runtime/thread_pool.hpp"
#include "update/update.hpp"

namespace darter {
namespace scalar { extern const UpdateKernel update_kernel; }
namespace avx2 { extern const UpdateKernel update_kernel; }
namespace neon { extern const UpdateKernel update_kernel; }
namespace avx512 { extern const UpdateKernel update_kernel; }

namespace {

constexpr Dispatch<const UpdateKernel*> kKernels{EVERY_ISA(update_kernel)};

constexpr int64_t kTask = 16 * 1024;  // numbers of one task

// Number of a rule; addresses of weight, gradient, mean, square, average (0: none); count.
using Row = std::tuple<size_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, int64_t>;

Updated updated(const Row& row) {
    auto at = [](uint64_t address) {
        return reinterpret_cast<float*>(static_cast<uintptr_t>(address));
    };
    const auto& [rule, weight, gradient, mean, square, average, count] = row;
    return {at(weight), at(gradient), at(mean), at(square), at(average), count};
}

struct Task {
    size_t row;
    int64_t first;
};

void update_all(const std::vector<UpdateRule>& rules, const std::vector<Row>& rows) {
    std::vector<Task> tasks;
    for (size_t row = 0; row < rows.size(); ++row) {
        const size_t rule = std::get<0>(rows[row]);
        if (rule >= rules.size()) throw std::invalid_argument("update: no such rule");
        const Updated u = updated(rows[row]);
        if (!u.weight || !u.gradient || (rules[rule].adam && !(u.mean && u.square)))
            throw std::invalid_argument("update: an array is missing");
        for (int64_t first = 0; first < u.count; first += kTask) tasks.push_back({row, first});
    }
    const UpdateKernel kernel = *kKernels.active();
    nb::gil_scoped_release unlocked;
    parallel_for(tasks.size(), [&](size_t index) {
        const Task& task = tasks[index];
        const Updated u = updated(rows[task.row]);
        kernel(rules[std::get<0>(rows[task.row])],
               u.part(task.first, std::min(kTask, u.count - task.first)));
    });
}

}  // namespace

void register_update(nb::module_& m) {
    nb::class_<UpdateRule>(m, "UpdateRule")
        .def("__init__",
             [](UpdateRule* rule, bool adam, double rate, double decay, double momentum,
                double rest, double squares, double squares_rest, double correction, double epsilon,
                double share) {
                 auto f = [](double x) { return static_cast<float>(x); };
                 new (rule) UpdateRule{adam, f(rate), f(decay), f(momentum), f(rest), f(squares),
                                       f(squares_rest), f(correction), f(epsilon), f(share)};
             },
             nb::kw_only(), nb::arg("adam"), nb::arg("rate"), nb::arg("decay"), nb::arg("momentum"),
             nb::arg("rest"), nb::arg("squares") = 0.0, nb::arg("squares_rest") = 0.0,
             nb::arg("correction") = 1.0, nb::arg("epsilon") = 0.0, nb::arg("share") = 0.0);
    m.def("update_all", &update_all, nb::arg("rules"), nb::arg("rows"));
}

}  // namespace darter
