#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "register.hpp"
#include "runtime/isa.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {

void register_runtime(nb::module_& m) {
    m.def("available_isas", [] {
        std::vector<std::string> names;
        for (Isa isa : available_isas()) names.push_back(isa_name(isa));
        return names;
    });
    m.def("active_isa", [] { return isa_name(active_isa()); });
    m.def("set_isa", [](const std::string& name) { set_isa(isa_from_name(name)); }, nb::arg("name"));
    m.def("has_avx512_bf16", &has_avx512_bf16);
    m.def("available_cpus", &available_cpus);
    m.attr("MOST_THREADS") = kMostThreads;
    m.def("threads", &threads);
    m.def("pool_threads", &pool_threads);
    nb::class_<ThreadLimit>(m, "ThreadLimit").def(nb::init<int>(), nb::arg("most"));
    m.def("set_threads", &set_threads, nb::arg("count"));
    m.def("wake_threads", &wake_threads, nb::call_guard<nb::gil_scoped_release>());
    active_isa();  // an impossible DARTER_ISA is an error at import
}

}  // namespace darter
