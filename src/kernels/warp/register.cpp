#include <nanobind/ndarray.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "register.hpp"
#include "warp/warp.hpp"

namespace darter {
namespace {

using PixelArray = nb::ndarray<const uint8_t, nb::shape<-1, -1, 3>, nb::c_contig, nb::device::cpu>;
using SlotArray = nb::ndarray<float, nb::shape<3, -1, -1>, nb::device::cpu>;
using Numbers = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

constexpr size_t kNumbers = 9 + 12 + 3 + 3 + 5 + 3;  // map, color, low, high, lens, fill

warp::Picture as_picture(const PixelArray& pixels) {
    if (pixels.size() == 0) throw std::invalid_argument("warp: the picture is empty");
    return {pixels.data(), static_cast<int64_t>(pixels.shape(1)),
            static_cast<int64_t>(pixels.shape(0))};
}

void call_warp(PixelArray pixels, SlotArray out, Numbers numbers, int border) {
    if (numbers.size() != kNumbers) throw std::invalid_argument("warp: wrong number of numbers");
    const double* n = numbers.data();
    for (size_t i = 0; i < kNumbers; ++i)
        if (!std::isfinite(n[i])) throw std::invalid_argument("warp: a number is not finite");
    warp::Map map{};
    for (int i = 0; i < 9; ++i) map.h[i] = *n++;
    warp::Color color;
    for (auto& row : color.matrix)
        for (float& value : row) value = static_cast<float>(*n++);
    for (float& value : color.low) value = static_cast<float>(*n++);
    for (float& value : color.high) value = static_cast<float>(*n++);
    map.cx = n[0], map.cy = n[1], map.radius = n[2], map.k1 = n[3], map.k2 = n[4];
    map.bent = map.k1 != 0 || map.k2 != 0;
    uint8_t fill[3];
    for (int c = 0; c < 3; ++c) fill[c] = static_cast<uint8_t>(std::clamp(n[5 + c], 0.0, 255.0));
    warp::Output slot{out.data(), static_cast<int64_t>(out.shape(2)),
                      static_cast<int64_t>(out.shape(1)), static_cast<ptrdiff_t>(out.stride(0)),
                      static_cast<ptrdiff_t>(out.stride(1)), static_cast<ptrdiff_t>(out.stride(2))};
    warp::Picture picture = as_picture(pixels);
    if (slot.width == 0 || slot.height == 0) return;
    nb::gil_scoped_release release;
    warp::warp(picture, slot, map, color, static_cast<warp::Border>(border), fill);
}

nb::tuple call_mean_rgb(PixelArray pixels) {
    warp::Picture picture = as_picture(pixels);
    double mean[3];
    {
        nb::gil_scoped_release release;
        warp::mean_rgb(picture, mean);
    }
    return nb::make_tuple(mean[0], mean[1], mean[2]);
}

}  // namespace

void register_warp(nb::module_& m) {
    m.def("warp", &call_warp, nb::arg("pixels").noconvert(), nb::arg("out").noconvert(), nb::arg("numbers"),
          nb::arg("border"));
    m.def("mean_rgb", &call_mean_rgb, nb::arg("pixels").noconvert());
}

}  // namespace darter
