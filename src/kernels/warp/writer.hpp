// Where rows of the output go.
#pragma once
#include <vector>

#include "warp/warp.hpp"

namespace darter::warp {

// Rows of the output as floats: its own, or ones that are narrowed to its format when they are done.
class Writer {
public:
    Writer(const Output& out, const Rows& rows);

    float* row(int64_t y) const {
        return narrow_ ? buffer_.data() : static_cast<float*>(out_.data) + y * out_.row;
    }
    ptrdiff_t channel() const { return narrow_ ? (interleaved_ ? 1 : out_.width) : out_.channel; }
    ptrdiff_t column() const { return narrow_ ? (interleaved_ ? 3 : 1) : out_.column; }

    void done(int64_t y) const;

private:
    template <typename T>
    void narrow(T* to, void (*convert)(const float*, int64_t, T*)) const;

    const Output& out_;
    const Rows& rows_;
    std::vector<float>& buffer_;
    bool narrow_, interleaved_;
};

}  // namespace darter::warp
