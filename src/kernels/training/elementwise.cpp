#include <algorithm>
#include <cstring>

#include "runtime/thread_pool.hpp"
#include "training/kernels.hpp"
#include "training/steps.hpp"

namespace darter::training {
namespace {

class Copy final : public Step {
public:
    Copy(int64_t floats, Slot from, Slot to, bool accumulate)
        : floats_(floats), from_(from), to_(to), accumulate_(accumulate) {}

    void images(const Context& c) const override {
        const float* from = c[from_];
        float* to = c[to_];
        parallel_for(c.count, [&](size_t image) {
            const float* x = from + image * floats_;
            float* y = to + image * floats_;
            if (!accumulate_) {
                std::memcpy(y, x, floats_ * sizeof(float));
                return;
            }
            const int64_t whole = floats_ / kBlock;
            kernels_.add(x, y, whole);
            for (int64_t i = whole * kBlock; i < floats_; ++i) y[i] += x[i];
        });
    }

private:
    const int64_t floats_;
    const Slot from_, to_;
    const bool accumulate_;
    const TrainingKernels& kernels_ = training_kernels();
};

class Gate final : public Step {
public:
    Gate(const Planes& planes, Slot x, Slot gate, Slot z)
        : planes_(planes), x_(x), gate_(gate), z_(z) {}

    void images(const Context& c) const override {
        const float *x = c[x_], *gate = c[gate_];
        float* z = c[z_];
        parallel_for(c.count * planes_.blocks(), [&](size_t plane) {
            const int64_t at = plane * planes_.floats();
            kernels_.scale(x + at, gate + plane * kBlock, z + at, planes_.pixels, false);
        });
    }

private:
    const Planes planes_;
    const Slot x_, gate_, z_;
    const TrainingKernels& kernels_ = training_kernels();
};

class GateGradient final : public Step {
public:
    GateGradient(const Planes& planes, Slot x, Slot gate, Slot dz, Slot dx, bool accumulate_x,
                 Slot dgate, bool accumulate_gate)
        : planes_(planes), x_(x), gate_(gate), dz_(dz), dx_(dx), dgate_(dgate),
          accumulate_x_(accumulate_x), accumulate_gate_(accumulate_gate) {}

    void images(const Context& c) const override {
        const float *x = c[x_], *gate = c[gate_], *dz = c[dz_];
        float *dx = c[dx_], *dgate = c[dgate_];
        parallel_for(c.count * planes_.blocks(), [&](size_t plane) {
            const int64_t at = plane * planes_.floats();
            if (dx)
                kernels_.scale(dz + at, gate + plane * kBlock, dx + at, planes_.pixels,
                               accumulate_x_);
            if (!dgate) return;
            if (!accumulate_gate_) std::fill_n(dgate + plane * kBlock, kBlock, 0.0f);
            kernels_.dot(dz + at, x + at, planes_.pixels, dgate + plane * kBlock);
        });
    }

private:
    const Planes planes_;
    const Slot x_, gate_, dz_, dx_, dgate_;
    const bool accumulate_x_, accumulate_gate_;
    const TrainingKernels& kernels_ = training_kernels();
};

class Slice final : public Step {
public:
    Slice(const Planes& whole, const Planes& part, int64_t first, Slot from, Slot to, bool join,
          bool accumulate)
        : whole_(whole), part_(part), first_(first), from_(from), to_(to), join_(join),
          accumulate_(accumulate) {}

    void images(const Context& c) const override {
        const float* from = c[from_];
        float* to = c[to_];
        const int64_t from_image = (join_ ? part_ : whole_).blocks() * part_.floats();
        const int64_t to_image = (join_ ? whole_ : part_).blocks() * part_.floats();
        parallel_for(c.count, [&](size_t image) {
            const float* x = from + image * from_image;
            float* y = to + image * to_image;
            if (first_ % kBlock == 0)
                blocks(x, y);
            else
                channels(x, y);
            if (!join_ && !accumulate_) clear_missing(y);
        });
    }

private:
    // Whole blocks; the last may have missing channels, whose zeros later parts overwrite.
    void blocks(const float* x, float* y) const {
        const int64_t offset = first_ / kBlock * part_.floats(), floats = part_.blocks() * part_.floats();
        const float* from = join_ ? x : x + offset;
        float* to = join_ ? y + offset : y;
        if (accumulate_)
            kernels_.add(from, to, floats / kBlock);
        else
            std::memcpy(to, from, floats * sizeof(float));
    }

    void channels(const float* x, float* y) const {
        const int64_t plane = part_.floats();
        for (int64_t channel = 0; channel < part_.channels; ++channel) {
            const int64_t other = first_ + channel;
            const int64_t inner = channel / kBlock * plane + channel % kBlock;
            const int64_t outer = other / kBlock * plane + other % kBlock;
            const float* from = x + (join_ ? inner : outer);
            float* to = y + (join_ ? outer : inner);
            for (int64_t i = 0; i < plane; i += kBlock)
                to[i] = accumulate_ ? to[i] + from[i] : from[i];
            // What lies beyond in a joined block is for the next part, or missing.
            if (join_ && channel + 1 == part_.channels)
                for (int64_t lane = other % kBlock + 1; lane < kBlock; ++lane)
                    for (int64_t i = 0; i < plane; i += kBlock)
                        y[other / kBlock * plane + lane + i] = 0;
        }
    }

    // Of a part that was cut out, whose last block took channels of its neighbour.
    void clear_missing(float* y) const {
        const int64_t missing = part_.blocks() * kBlock - part_.channels;
        if (!missing) return;
        float* last = y + (part_.blocks() - 1) * part_.floats();
        for (int64_t i = 0; i < part_.floats(); i += kBlock)
            std::fill_n(last + i + kBlock - missing, missing, 0.0f);
    }

    const Planes whole_, part_;
    const int64_t first_;
    const Slot from_, to_;
    const bool join_, accumulate_;
    const TrainingKernels& kernels_ = training_kernels();
};

// A number of 24 bits, from a counter: the mixing of SplitMix64 (Steele et al., OOPSLA 2014).
uint32_t drawn(uint64_t key, uint64_t counter) {
    uint64_t z = key + (counter + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return static_cast<uint32_t>((z ^ z >> 31) >> 40);
}

class Dropout final : public Step {
public:
    Dropout(int64_t floats, Slot x, Slot y, float p, uint64_t stream, bool accumulate)
        : floats_(floats), x_(x), y_(y), p_(p), stream_(stream), accumulate_(accumulate) {}

    void images(const Context& c) const override {
        const float* x = c[x_];
        float* y = c[y_];
        const uint64_t key = c.seed ^ (stream_ + 1) * 0xd1342543de82ef95u;
        const uint32_t least = static_cast<uint32_t>(p_ * 16777216.0f);
        const float factor = p_ < 1 ? 1 / (1 - p_) : 0;
        parallel_for(c.count, [&](size_t image) {
            const int64_t begin = image * floats_;
            const uint64_t number = (c.first + image) * floats_;
            for (int64_t i = 0; i < floats_; ++i) {
                const bool kept = drawn(key, number + i) >= least;
                const float value = kept ? x[begin + i] * factor : 0;
                y[begin + i] = accumulate_ ? y[begin + i] + value : value;
            }
        });
    }

private:
    const int64_t floats_;
    const Slot x_, y_;
    const float p_;
    const uint64_t stream_;
    const bool accumulate_;
};

}  // namespace

StepPointer copy_step(int64_t floats, Slot from, Slot to, bool accumulate) {
    return std::make_shared<Copy>(floats, from, to, accumulate);
}

StepPointer gate_step(const Planes& planes, Slot x, Slot gate, Slot z) {
    return std::make_shared<Gate>(planes, x, gate, z);
}

StepPointer gate_gradient_step(const Planes& planes, Slot x, Slot gate, Slot dz, Slot dx,
                               bool accumulate_x, Slot dgate, bool accumulate_gate) {
    return std::make_shared<GateGradient>(planes, x, gate, dz, dx, accumulate_x, dgate,
                                          accumulate_gate);
}

StepPointer slice_step(const Planes& whole, const Planes& part, int64_t first, Slot from, Slot to,
                       bool join, bool accumulate) {
    return std::make_shared<Slice>(whole, part, first, from, to, join, accumulate);
}

StepPointer dropout_step(int64_t floats, Slot x, Slot y, float p, uint64_t stream, bool accumulate) {
    return std::make_shared<Dropout>(floats, x, y, p, stream, accumulate);
}

}  // namespace darter::training
