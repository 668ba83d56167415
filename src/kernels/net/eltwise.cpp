// Steps that treat every value, or every pixel, on its own.
#include <cstring>
#include <stdexcept>

#include "net/steps.hpp"
#include "net/vector/kernels.hpp"

namespace darter {
namespace {

// Work on a few thousand floats at a time: what was just written is still in L1 when activated.
constexpr int64_t kPixels = 256;

// Calls body(plane, first pixel, pixels) for all of y.
template <typename Body>
void each_run(const Blocked& y, const Body& body) {
    int64_t runs = ceil_div(y.pixels(), kPixels);
    each_piece(y.planes() * runs, 2 * std::min(y.pixels(), kPixels) * kBlock,
               [&](int64_t first, int64_t last) {
                   for (int64_t i = first; i < last; ++i) {
                       int64_t pixel = i % runs * kPixels;
                       body(i / runs, pixel, std::min(kPixels, y.pixels() - pixel));
                   }
               });
}

// A few neighbouring pixels of a blocked array as float32: themselves, or widened in a buffer.
class Pixels {
public:
    explicit Pixels(Element element) : element_(element) {}

    const float* read(const Reads& x, size_t i, int64_t at, int64_t count, Scratch slot) const {
        if (element_ == Element::float32) return x[i] + at;
        float* wide = scratch(slot, count * kBlock);
        arrays_->widen(x.as<uint16_t>(i) + at, wide, count * kBlock);
        return wide;
    }
    // Where to compute them, and what brings them from there to y.
    float* room(const Writes& y, int64_t at, int64_t count, Scratch slot) const {
        return element_ == Element::float32 ? y[0] + at : scratch(slot, count * kBlock);
    }
    void write(const float* computed, const Writes& y, int64_t at, int64_t count) const {
        if (element_ == Element::bfloat16)
            arrays_->round(computed, y.as<uint16_t>(0) + at, count * kBlock);
    }

private:
    const Element element_;
    const Bfloat16Arrays* const arrays_ = bfloat16_arrays(active_isa());
};

// What is finished in `count` neighbouring pixels of a plane.
class Finish {
public:
    Finish(const Blocked& y, const Activation& activation, bool clear)
        : y_(y), activation_(activation), activate_(activation_kernel()),
          clear_(y.channels % kBlock && (clear || activation.kind == Activation::reciprocal ||
                                         activation.kind == Activation::power)) {}

    void operator()(float* y, int64_t plane, int64_t count) const {
        if (activation_.kind != Activation::none) activate_(activation_, y, count * kBlock);
        if (!clear_ || plane % y_.blocks() + 1 < y_.blocks()) return;
        for (int64_t i = 0; i < count; ++i)  // missing channels must not become infinite
            for (int64_t lane = y_.channels % kBlock; lane < kBlock; ++lane)
                y[i * kBlock + lane] = 0;
    }

private:
    const Blocked y_;
    const Activation activation_;
    const ActivationKernel activate_;
    const bool clear_;
};

VectorKernels::Binary binary_kernel(const std::string& name) {
    const VectorKernels& k = vector_kernels();
    const std::pair<const char*, VectorKernels::Binary> known[] = {
        {"add", k.add}, {"sub", k.sub}, {"mul", k.mul}, {"div", k.div},
        {"min", k.min}, {"max", k.max}, {"prelu", k.prelu}};
    for (const auto& [each, kernel] : known)
        if (name == each) return kernel;
    throw std::invalid_argument("no function " + name);
}

class Eltwise final : public Step {
public:
    Eltwise(const std::string& function, const Blocked& a, const Blocked& b, const Blocked& y,
            const Activation& activation)
        : kernel_(binary_kernel(function)), a_(a), b_(b), y_(y),
          finish_(y, activation, function == "div") {}

    void run(const Reads& x, const Writes& y) const override {
        each_run(y_, [&](int64_t plane, int64_t pixel, int64_t count) {
            const int64_t at = y_.at(plane) + pixel * kBlock;
            float* to = y_pixels_.room(y, at, count, Scratch::window_out);
            const float* a = a_pixels_.read(x, 0, index(a_, plane, pixel), seen(a_, count),
                                            Scratch::worker_a);
            const float* b = b_pixels_.read(x, 1, index(b_, plane, pixel), seen(b_, count),
                                            Scratch::worker_b);
            kernel_(a, step(a_), b, step(b_), to, count);
            finish_(to, plane, count);
            y_pixels_.write(to, y, at, count);
        });
    }

private:
    int64_t seen(const Blocked& x, int64_t count) const { return step(x) ? count : 1; }
    int64_t step(const Blocked& x) const { return x.pixels() == y_.pixels() ? kBlock : 0; }
    int64_t index(const Blocked& x, int64_t plane, int64_t pixel) const {
        return (x.n ? x.at(plane) : plane % y_.blocks() * x.plane()) + pixel * step(x);
    }

    const VectorKernels::Binary kernel_;
    const Blocked a_, b_, y_;
    const Pixels a_pixels_{a_.element}, b_pixels_{b_.element}, y_pixels_{y_.element};
    const Finish finish_;
};

class Scale final : public Step {
public:
    Scale(const Blocked& x, const Blocked& y, const Activation& activation)
        : kernel_(vector_kernels().scale), x_(x), y_(y), finish_(y, activation, false) {}

    void run(const Reads& x, const Writes& y) const override {
        each_run(y_, [&](int64_t plane, int64_t pixel, int64_t count) {
            const int64_t channel = plane % y_.blocks() * kBlock;
            const int64_t from = x_.at(plane) + pixel * kBlock, at = y_.at(plane) + pixel * kBlock;
            float* to = y_pixels_.room(y, at, count, Scratch::window_out);
            kernel_(x_pixels_.read(x, 0, from, count, Scratch::worker_a), x[1] + channel,
                    x[2] + channel, to, count);
            finish_(to, plane, count);
            y_pixels_.write(to, y, at, count);
        });
    }

private:
    void (*const kernel_)(const float*, const float*, const float*, float*, int64_t);
    const Blocked x_, y_;
    const Pixels x_pixels_{x_.element}, y_pixels_{y_.element};
    const Finish finish_;
};

class Activate final : public Step {
public:
    Activate(const Blocked& x, const Blocked& y, const Activation& activation)
        : x_(x), y_(y), finish_(y, activation, false) {}

    void run(const Reads& x, const Writes& y) const override {
        each_run(y_, [&](int64_t plane, int64_t pixel, int64_t count) {
            const int64_t at = y_.at(plane) + pixel * kBlock;
            float* to = y_pixels_.room(y, at, count, Scratch::window_out);
            const float* from = x_pixels_.read(x, 0, x_.at(plane) + pixel * kBlock, count,
                                               Scratch::worker_a);
            if (from != to) std::memcpy(to, from, count * kBlock * sizeof(float));
            finish_(to, plane, count);
            y_pixels_.write(to, y, at, count);
        });
    }

private:
    const Blocked x_, y_;
    const Pixels x_pixels_{x_.element}, y_pixels_{y_.element};
    const Finish finish_;
};

}  // namespace

StepPointer eltwise_step(const std::string& function, const Blocked& a, const Blocked& b,
                         const Blocked& y, const Activation& activation) {
    return std::make_shared<Eltwise>(function, a, b, y, activation);
}

StepPointer scale_step(const Blocked& x, const Blocked& y, const Activation& activation) {
    return std::make_shared<Scale>(x, y, activation);
}

StepPointer activation_step(const Blocked& x, const Blocked& y, const Activation& activation) {
    return std::make_shared<Activate>(x, y, activation);
}

}  // namespace darter
