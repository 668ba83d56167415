// Batch normalization, backward: sums where the gradient has just been written, one pass for the
// gradient. A bias is the sums alone.
#include <algorithm>

#include "runtime/thread_pool.hpp"
#include "training/kernels.hpp"
#include "training/normalize.hpp"

namespace darter::training {
namespace {

using namespace normalization;

struct BackSlots {
    Slot dz, y, z, vectors;
};

NormalizeGradient plane_of(const Context& c, const Planes& planes, const BackSlots& s,
                           const Activation& activation, int64_t plane) {
    const int64_t at = plane * planes.floats(), block = plane % planes.blocks() * kBlock;
    NormalizeGradient p{};
    p.dz = c[s.dz] + at;
    if (const float* y = c[s.y]) p.y = y + at;
    if (const float* z = c[s.z]) p.z = z + at;
    if (s.vectors.kind != Slot::none) {
        p.scale = vector(c, s.vectors, planes, scale) + block;
        p.shift = vector(c, s.vectors, planes, shift) + block;
    }
    p.activation = activation;
    p.pixels = planes.pixels;
    return p;
}

class Sums final : public Step {
public:
    Sums(const Planes& planes, const BackSlots& slots, Slot dresidual, bool accumulate, Slot sums,
         Slot dgamma, Slot dbeta, const Activation& activation, bool frozen)
        : planes_(planes), s_(slots), dresidual_(dresidual), sums_(sums), dgamma_(dgamma),
          dbeta_(dbeta), activation_(activation), accumulate_(accumulate), frozen_(frozen) {}

    void images(const Context& c) const override {
        float* dresidual = c[dresidual_];
        const int64_t blocks = planes_.blocks();
        parallel_for(blocks, [&](size_t block) {
            const LaneSums sums = lane_sums(c, sums_, planes_, c.lane, block);
            if (c.fresh) clear(sums);
            for (int64_t image = 0; image < c.count; ++image) {
                const int64_t plane = image * blocks + block;
                NormalizeGradient p = plane_of(c, planes_, s_, activation_, plane);
                p.mean = vector(c, s_.vectors, planes_, mean) + block * kBlock;
                p.sum_g = sums.sum, p.sum_gy = sums.other;
                if (dresidual) p.dy = dresidual + plane * planes_.floats();
                p.accumulate = accumulate_;
                kernels_.gradient(p);
            }
        });
    }

    // xhat = (y - mean) * inverse; dy = scale * (g - sum(g) / n - xhat * sum(g * xhat) / n).
    void end(const Context& c) const override {
        const double n = static_cast<double>(c.count * planes_.pixels);
        for (int64_t i = 0; i < planes_.channels; ++i) {
            double sum = 0, product = 0;
            for (int64_t lane = 0; lane < c.lanes; ++lane) {
                const LaneSums sums = lane_sums(c, sums_, planes_, lane, i / kBlock);
                sum += sums.sum[i % kBlock], product += sums.other[i % kBlock];
            }
            const double center = vector(c, s_.vectors, planes_, mean)[i];
            const double inverted = vector(c, s_.vectors, planes_, inverse)[i];
            const double factor = vector(c, s_.vectors, planes_, scale)[i];
            product *= inverted;
            if (dgamma_.kind != Slot::none) c[dgamma_][i] = static_cast<float>(product);
            if (dbeta_.kind != Slot::none) c[dbeta_][i] = static_cast<float>(sum);
            const double by_y = frozen_ ? 0 : -factor * inverted * product / n;
            const double rest = frozen_ ? 0 : -factor * sum / n - by_y * center;
            vector(c, s_.vectors, planes_, of_g)[i] = static_cast<float>(factor);
            vector(c, s_.vectors, planes_, of_y)[i] = static_cast<float>(by_y);
            vector(c, s_.vectors, planes_, constant)[i] = static_cast<float>(rest);
        }
    }

private:
    const Planes planes_;
    const BackSlots s_;
    const Slot dresidual_, sums_, dgamma_, dbeta_;
    const Activation activation_;
    const bool accumulate_, frozen_;
    const TrainingKernels& kernels_ = training_kernels();
};

class Gradient final : public Step {
public:
    Gradient(const Planes& planes, const BackSlots& slots, Slot dy, bool accumulate,
             const Activation& activation)
        : planes_(planes), s_(slots), dy_(dy), activation_(activation), accumulate_(accumulate) {}

    void images(const Context& c) const override {
        float* dy = c[dy_];
        parallel_for(c.count * planes_.blocks(), [&](size_t plane) {
            NormalizeGradient p = plane_of(c, planes_, s_, activation_, plane);
            const int64_t block = plane % planes_.blocks() * kBlock;
            if (s_.vectors.kind != Slot::none) {
                p.a = vector(c, s_.vectors, planes_, of_g) + block;
                p.b = vector(c, s_.vectors, planes_, of_y) + block;
                p.c = vector(c, s_.vectors, planes_, constant) + block;
            }
            p.dy = dy + plane * planes_.floats();
            p.accumulate = accumulate_;
            kernels_.gradient(p);
        });
    }

private:
    const Planes planes_;
    const BackSlots s_;
    const Slot dy_;
    const Activation activation_;
    const bool accumulate_;
    const TrainingKernels& kernels_ = training_kernels();
};

class Bias final : public Step {
public:
    Bias(const Planes& planes, Slot dy, Slot sums, Slot dbias)
        : planes_(planes), dy_(dy), sums_(sums), dbias_(dbias) {}

    void images(const Context& c) const override {
        const float* dy = c[dy_];
        parallel_for(planes_.blocks(), [&](size_t block) {
            const LaneSums sums = lane_sums(c, sums_, planes_, c.lane, block);
            if (c.fresh) std::fill_n(sums.from, kBlock, 0.0f), clear(sums);
            for (int64_t image = 0; image < c.count; ++image)
                kernels_.moments(dy + (image * planes_.blocks() + block) * planes_.floats(),
                                 planes_.pixels, sums.from, sums.sum, sums.other);
        });
    }

    void end(const Context& c) const override {
        for (int64_t i = 0; i < planes_.channels; ++i) {
            double sum = 0;
            for (int64_t lane = 0; lane < c.lanes; ++lane)
                sum += lane_sums(c, sums_, planes_, lane, i / kBlock).sum[i % kBlock];
            c[dbias_][i] = static_cast<float>(sum);
        }
    }

private:
    const Planes planes_;
    const Slot dy_, sums_, dbias_;
    const TrainingKernels& kernels_ = training_kernels();
};

}  // namespace

StepPointer normalize_sums_step(const Planes& planes, Slot dz, Slot y, Slot z, Slot dresidual,
                                bool accumulate, Slot sums, Slot vectors, Slot dgamma, Slot dbeta,
                                const Activation& activation, bool frozen) {
    const BackSlots slots{dz, y, z, vectors};
    return std::make_shared<Sums>(planes, slots, dresidual, accumulate, sums, dgamma, dbeta,
                                  activation, frozen);
}

StepPointer normalize_gradient_step(const Planes& planes, Slot dz, Slot y, Slot z, Slot dy,
                                    bool accumulate, Slot vectors, const Activation& activation) {
    const BackSlots slots{dz, y, z, vectors};
    return std::make_shared<Gradient>(planes, slots, dy, accumulate, activation);
}

StepPointer bias_gradient_step(const Planes& planes, Slot dy, Slot sums, Slot dbias) {
    return std::make_shared<Bias>(planes, dy, sums, dbias);
}

}  // namespace darter::training
