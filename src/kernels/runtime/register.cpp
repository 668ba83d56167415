#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "register.hpp"
#include "runtime/cpu.hpp"
#include "runtime/isa.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {

namespace {

std::vector<std::string> names(const std::vector<Isa>& isas) {
    std::vector<std::string> all;
    for (Isa isa : isas) all.push_back(isa_name(isa));
    return all;
}

}  // namespace

void register_runtime(nb::module_& m) {
    m.def("available_isas", [] { return names(available_isas()); });
    m.def(
        "isas_of",  // for tests: what another CPU would have
        [](uint32_t leaf1_ecx, uint32_t leaf7_ebx, uint32_t leaf7_edx, uint32_t leaf7_1_eax,
           uint64_t xcr0) {
            return names(isas_of({leaf1_ecx, leaf7_ebx, leaf7_edx, leaf7_1_eax, xcr0}));
        },
        nb::arg("leaf1_ecx"), nb::arg("leaf7_ebx"), nb::arg("leaf7_edx"), nb::arg("leaf7_1_eax"),
        nb::arg("xcr0"));
    m.def("active_isa", [] { return isa_name(active_isa()); });
    m.def("set_isa", [](const std::string& name) { set_isa(isa_from_name(name)); }, nb::arg("name"));
    m.def("has_avx512_bf16", &has_avx512_bf16);
    m.def("has_avx512_vpopcntdq", &has_avx512_vpopcntdq);
    m.def("has_avx512_vnni", &has_avx512_vnni);
    m.def("has_avx_vnni", &has_avx_vnni);
    m.def("has_amx_int8", &has_amx_int8);
    m.attr("MOST_THREADS") = kMostThreads;
    m.def("threads", &threads);
    m.def("pool_threads", &pool_threads);
    nb::class_<ThreadLimit>(m, "ThreadLimit").def(nb::init<int>(), nb::arg("most"));
    m.def("set_threads", &set_threads, nb::arg("count"));
    m.def("wake_threads", &wake_threads, nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace darter
