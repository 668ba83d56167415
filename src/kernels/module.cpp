#include "register.hpp"

NB_MODULE(_core, m) {
    nanobind::set_leak_warnings(false);  // commands end without looking for garbage once more
    m.doc() = "The compiled core of darter; use it through darter.kernels.";
    darter::register_enums(m);
    darter::register_binary(m);
    darter::register_conv(m);
    darter::register_gradient(m);
    darter::register_net(m);
    darter::register_gemm(m);
    darter::register_integer(m);
    darter::register_jpeg(m);
    darter::register_peak(m);
    darter::register_rounding(m);
    darter::register_runtime(m);
    darter::register_training(m);
    darter::register_update(m);
    darter::register_warp(m);
}
