// What each kernel family adds to the Python module; one register.cpp per family.
#pragma once
#include <nanobind/nanobind.h>

namespace nb = nanobind;

namespace darter {

void register_enums(nb::module_& m);  // before those whose arguments they are
void register_binary(nb::module_& m);
void register_conv(nb::module_& m);
void register_gradient(nb::module_& m);
void register_net(nb::module_& m);
void register_gemm(nb::module_& m);
void register_integer(nb::module_& m);
void register_jpeg(nb::module_& m);
void register_peak(nb::module_& m);
void register_rounding(nb::module_& m);
void register_runtime(nb::module_& m);
void register_training(nb::module_& m);
void register_update(nb::module_& m);
void register_warp(nb::module_& m);

}  // namespace darter
