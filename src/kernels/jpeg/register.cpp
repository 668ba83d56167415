#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "jpeg/jpeg.hpp"
#include "register.hpp"

namespace darter {
namespace {

using RgbArray = nb::ndarray<nb::numpy, uint8_t, nb::ndim<3>, nb::c_contig>;

const uint8_t* start_of(const nb::bytes& data) {
    return static_cast<const uint8_t*>(static_cast<const void*>(data.c_str()));
}

// The pixels of a window, None where libjpeg-turbo must look.
std::optional<RgbArray> call_decode(nb::bytes data, int left, int top, int right, int bottom) {
    const uint8_t* bytes = start_of(data);
    size_t size = data.size();
    std::unique_ptr<uint8_t[]> pixels;
    {
        nb::gil_scoped_release release;
        if (auto header = jpeg::read_header(bytes, size); header && header->usual) {
            if (right == 0) right = header->width, bottom = header->height;
            bool inside = 0 <= left && left < right && right <= header->width && 0 <= top &&
                          top < bottom && bottom <= header->height;
            if (!inside)
                throw std::invalid_argument("decode_jpeg: the window is not inside the picture");
            size_t count = size_t{3} * (right - left) * (bottom - top);
            pixels = std::make_unique_for_overwrite<uint8_t[]>(count);
            if (!jpeg::decode(bytes, size, *header, {left, top, right, bottom}, pixels.get()))
                pixels.reset();
        }
    }
    if (!pixels) return {};
    uint8_t* owned = pixels.release();
    nb::capsule owner(owned, [](void* p) noexcept { delete[] static_cast<uint8_t*>(p); });
    size_t shape[3] = {size_t(bottom - top), size_t(right - left), 3};
    return RgbArray(owned, 3, shape, owner);
}

// (width, height) of a JPEG that `decode_jpeg` takes, None for others.
std::optional<std::pair<int, int>> call_size(nb::bytes data) {
    auto header = jpeg::read_header(start_of(data), data.size());
    if (!header || !header->usual) return {};
    return std::pair<int, int>{header->width, header->height};
}

// What the entropy-coded bytes are: a name of `State`, None where libjpeg-turbo must tell.
std::optional<std::string> call_check(nb::bytes data) {
    constexpr const char* names[] = {"whole", "extra", "endless", "damaged"};
    const uint8_t* bytes = start_of(data);
    size_t size = data.size();
    std::optional<jpeg::State> state;
    {
        nb::gil_scoped_release release;
        if (auto header = jpeg::read_header(bytes, size))
            state = jpeg::check(bytes, size, *header);
    }
    if (!state) return {};
    return names[static_cast<int>(*state)];
}

}  // namespace

void register_jpeg(nb::module_& m) {
    m.def("decode_jpeg", &call_decode, nb::arg("data"), nb::arg("left"), nb::arg("top"),
          nb::arg("right"), nb::arg("bottom"));
    m.def("check_jpeg", &call_check, nb::arg("data"));
    m.def("jpeg_size", &call_size, nb::arg("data"));
}

}  // namespace darter
