// Batch normalization, with what follows it: statistics where the convolution has just written, one
// pass that normalizes, adds a residual and applies an activation.
#include <algorithm>
#include <cmath>

#include "runtime/thread_pool.hpp"
#include "training/kernels.hpp"
#include "training/normalize.hpp"

namespace darter::training {
namespace {

using namespace normalization;

struct Norm {
    Slot vectors, gamma, beta, running_mean, running_variance;
    float momentum, epsilon;
};

// scale and shift of channel i from its mean and variance.
void set_vectors(const Context& c, const Planes& planes, const Norm& norm, int64_t i, double center,
                 double variance) {
    const double inverted = 1 / std::sqrt(variance + norm.epsilon);
    const double gamma = norm.gamma.kind == Slot::none ? 1 : c[norm.gamma][i];
    const double beta = norm.beta.kind == Slot::none ? 0 : c[norm.beta][i];
    const double factor = gamma * inverted;
    vector(c, norm.vectors, planes, mean)[i] = static_cast<float>(center);
    vector(c, norm.vectors, planes, inverse)[i] = static_cast<float>(inverted);
    vector(c, norm.vectors, planes, scale)[i] = static_cast<float>(factor);
    vector(c, norm.vectors, planes, shift)[i] = static_cast<float>(beta - center * factor);
}

class Statistics final : public Step {
public:
    Statistics(const Planes& planes, Slot y, Slot sums, const Norm& norm)
        : planes_(planes), y_(y), sums_(sums), norm_(norm) {}

    // Sums of differences to the lane's first pixel: their squares do not cancel.
    void images(const Context& c) const override {
        const float* y = c[y_];
        parallel_for(planes_.blocks(), [&](size_t block) {
            const LaneSums sums = lane_sums(c, sums_, planes_, c.lane, block);
            const float* plane = y + block * planes_.floats();
            if (c.fresh) std::copy_n(plane, kBlock, sums.from), clear(sums);
            for (int64_t image = 0; image < c.count; ++image)
                kernels_.moments(plane + image * planes_.blocks() * planes_.floats(), planes_.pixels,
                                 sums.from, sums.sum, sums.other);
        });
    }

    void end(const Context& c) const override {
        const double count = static_cast<double>(c.count * planes_.pixels);
        std::fill_n(c[norm_.vectors], kVectors * planes_.blocks() * kBlock, 0.0f);
        for (int64_t i = 0; i < planes_.channels; ++i) {
            double center = 0, squares = 0, seen = 0;
            for (int64_t lane = 0; lane < c.lanes; ++lane) {
                const double n = static_cast<double>(lane_images(c, lane) * planes_.pixels);
                if (n == 0) continue;
                const LaneSums sums = lane_sums(c, sums_, planes_, lane, i / kBlock);
                const double off = sums.sum[i % kBlock] / n;
                const double here = sums.from[i % kBlock] + off, distance = here - center;
                squares += sums.other[i % kBlock] - off * off * n +
                           distance * distance * seen * n / (seen + n);
                center += distance * n / (seen + n);
                seen += n;
            }
            const double variance = std::max(0.0, squares / count);
            set_vectors(c, planes_, norm_, i, center, variance);
            if (norm_.running_mean.kind == Slot::none) continue;
            move(c[norm_.running_mean][i], center);
            move(c[norm_.running_variance][i], squares / (count - 1));
        }
    }

private:
    void move(float& running, double value) const {
        running = static_cast<float>((1 - norm_.momentum) * running + norm_.momentum * value);
    }

    const Planes planes_;
    const Slot y_, sums_;
    const Norm norm_;
    const TrainingKernels& kernels_ = training_kernels();
};

class Frozen final : public Step {
public:
    Frozen(const Planes& planes, const Norm& norm) : planes_(planes), norm_(norm) {}

    void images(const Context&) const override {}
    void end(const Context& c) const override {
        std::fill_n(c[norm_.vectors], kVectors * planes_.blocks() * kBlock, 0.0f);
        for (int64_t i = 0; i < planes_.channels; ++i)
            set_vectors(c, planes_, norm_, i, c[norm_.running_mean][i],
                        c[norm_.running_variance][i]);
    }

private:
    const Planes planes_;
    const Norm norm_;
};

class Normalize final : public Step {
public:
    Normalize(const Planes& planes, Slot y, Slot residual, Slot z, Slot vectors,
              const Activation& activation)
        : planes_(planes), y_(y), residual_(residual), z_(z), vectors_(vectors),
          activation_(activation) {}

    void images(const Context& c) const override {
        const float *y = c[y_], *residual = c[residual_];
        const float *factor = vector(c, vectors_, planes_, scale);
        const float *term = vector(c, vectors_, planes_, shift);
        float* z = c[z_];
        parallel_for(c.count * planes_.blocks(), [&](size_t plane) {
            const int64_t at = plane * planes_.floats(), block = plane % planes_.blocks() * kBlock;
            kernels_.normalize({.y = y + at,
                                .scale = factor ? factor + block : nullptr,
                                .shift = term ? term + block : nullptr,
                                .residual = residual ? residual + at : nullptr,
                                .activation = activation_,
                                .z = z + at,
                                .pixels = planes_.pixels});
        });
    }

private:
    const Planes planes_;
    const Slot y_, residual_, z_, vectors_;
    const Activation activation_;
    const TrainingKernels& kernels_ = training_kernels();
};

}  // namespace

StepPointer statistics_step(const Planes& planes, Slot y, Slot sums, Slot vectors, Slot gamma,
                            Slot beta, Slot running_mean, Slot running_variance, float momentum,
                            float epsilon) {
    const Norm norm{vectors, gamma, beta, running_mean, running_variance, momentum, epsilon};
    return std::make_shared<Statistics>(planes, y, sums, norm);
}

StepPointer frozen_statistics_step(const Planes& planes, Slot vectors, Slot gamma, Slot beta,
                                   Slot running_mean, Slot running_variance, float epsilon) {
    const Norm norm{vectors, gamma, beta, running_mean, running_variance, 0, epsilon};
    return std::make_shared<Frozen>(planes, norm);
}

StepPointer normalize_step(const Planes& planes, Slot y, Slot residual, Slot z, Slot vectors,
                           const Activation& activation) {
    return std::make_shared<Normalize>(planes, y, residual, z, vectors, activation);
}

}  // namespace darter::training
