#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "register.hpp"
#include "warp/warp.hpp"

namespace darter {
namespace {

using PixelArray = nb::ndarray<const uint8_t, nb::shape<-1, -1, 3>, nb::c_contig, nb::device::cpu>;
using SlotArray = nb::ndarray<nb::shape<3, -1, -1>, nb::device::cpu>;
using Numbers = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

constexpr size_t kNumbers = 9 + 12 + 3 + 3 + 5 + 3;  // map, color, low, high, lens, fill

// `whole`: width and height of the picture that the pixels are part of, and where they begin.
using Corners = std::tuple<int64_t, int64_t, int64_t, int64_t>;  // left, top, right, bottom
using Whole = std::tuple<int64_t, int64_t, int64_t, int64_t>;

warp::Picture as_picture(const PixelArray& pixels, const Whole& whole) {
    if (pixels.size() == 0) throw std::invalid_argument("warp: the picture is empty");
    auto [width, height, left, top] = whole;
    auto w = static_cast<int64_t>(pixels.shape(1)), h = static_cast<int64_t>(pixels.shape(0));
    warp::Box held{left, top, left + w, top + h};
    if (!warp::Box{0, 0, width, height}.contains(held))
        throw std::invalid_argument("warp: the pixels are not a part of the picture");
    return {pixels.data(), width, height, held};
}

warp::Map as_map(const double* n, const double* lens) {
    warp::Map map{};
    std::copy_n(n, 9, map.h);
    map.cx = lens[0], map.cy = lens[1], map.radius = lens[2], map.k1 = lens[3], map.k2 = lens[4];
    map.bent = map.k1 != 0 || map.k2 != 0;
    return map;
}

void check_finite(const Numbers& numbers, size_t count) {
    if (numbers.size() != count) throw std::invalid_argument("warp: wrong number of numbers");
    for (size_t i = 0; i < count; ++i)
        if (!std::isfinite(numbers.data()[i]))
            throw std::invalid_argument("warp: a number is not finite");
}

warp::Format format_of(const SlotArray& out) {
    if (out.dtype() == nb::dtype<float>()) return warp::Format::float32;
    if (out.dtype() == nb::dtype<uint16_t>()) return warp::Format::bfloat16;
    if (out.dtype() == nb::dtype<uint8_t>()) return warp::Format::uint8;
    throw std::invalid_argument("warp: out must hold float32, uint16 (bfloat16) or uint8");
}

void call_warp(PixelArray pixels, SlotArray out, Numbers numbers, warp::Border border, Whole whole) {
    check_finite(numbers, kNumbers);
    const double* n = numbers.data();
    warp::Map map = as_map(n, n + 27);
    n += 9;
    warp::Color color;
    for (auto& row : color.matrix)
        for (float& value : row) value = static_cast<float>(*n++);
    for (float& value : color.low) value = static_cast<float>(*n++);
    for (float& value : color.high) value = static_cast<float>(*n++);
    uint8_t fill[3];
    for (int c = 0; c < 3; ++c) fill[c] = static_cast<uint8_t>(std::clamp(n[5 + c], 0.0, 255.0));
    warp::Output slot{out.data(), format_of(out), static_cast<int64_t>(out.shape(2)),
                      static_cast<int64_t>(out.shape(1)), static_cast<ptrdiff_t>(out.stride(0)),
                      static_cast<ptrdiff_t>(out.stride(1)), static_cast<ptrdiff_t>(out.stride(2))};
    warp::Picture picture = as_picture(pixels, whole);
    if (slot.width == 0 || slot.height == 0) return;
    nb::gil_scoped_release release;
    if (!picture.held.contains({0, 0, picture.width, picture.height}) &&
        !picture.held.contains(warp::reach(picture.width, picture.height, slot, map, border)))
        throw std::invalid_argument("warp: the pixels are too small a part of the picture");
    warp::warp(picture, slot, map, color, border, fill);
}

Corners call_reach(Numbers numbers, warp::Border border, int64_t width, int64_t height, int64_t size) {
    check_finite(numbers, 9 + 5);
    if (width < 1 || height < 1 || size < 1) throw std::invalid_argument("reach: nothing to see");
    warp::Map map = as_map(numbers.data(), numbers.data() + 9);
    warp::Output out{nullptr, warp::Format::float32, size, size, 0, 0, 0};
    warp::Box box = warp::reach(width, height, out, map, border);
    return {box.left, box.top, box.right, box.bottom};
}

std::tuple<double, double, double> call_mean_rgb(PixelArray pixels, Corners corners) {
    auto [left, top, right, bottom] = corners;
    auto w = static_cast<int64_t>(pixels.shape(1)), h = static_cast<int64_t>(pixels.shape(0));
    warp::Picture picture = as_picture(pixels, {w, h, 0, 0});
    warp::Box box{left, top, right, bottom};
    if (left > right || top > bottom || !picture.held.contains(box))
        throw std::invalid_argument("mean_rgb: the box is not inside the picture");
    double mean[3];
    {
        nb::gil_scoped_release release;
        warp::mean_rgb(picture, box, mean);
    }
    return {mean[0], mean[1], mean[2]};
}

}  // namespace

void register_warp(nb::module_& m) {
    m.def("warp", &call_warp, nb::arg("pixels").noconvert(), nb::arg("out").noconvert(), nb::arg("numbers"),
          nb::arg("border"), nb::arg("whole"));
    m.def("reach", &call_reach, nb::arg("numbers"), nb::arg("border"), nb::arg("width"),
          nb::arg("height"), nb::arg("size"));
    m.def("mean_rgb", &call_mean_rgb, nb::arg("pixels").noconvert(), nb::arg("box"));
}

}  // namespace darter
