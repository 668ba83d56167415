// Batch normalization, with what follows it: statistics where the convolution has just written, one
// pass that normalizes, adds a residual and applies an activation; backward, sums where the gradient
// has just been written, one pass for the gradient.
#include <algorithm>
#include <cmath>

#include "runtime/thread_pool.hpp"
#include "training/kernels.hpp"
#include "training/steps.hpp"

namespace darter::training {
namespace {

// Which of the vectors.
enum Vector { mean, inverse, scale, shift, of_g, of_y, constant };

float* vector(const Context& c, Slot slot, const Planes& planes, Vector which) {
    return slot.kind == Slot::none ? nullptr : c[slot] + which * planes.blocks() * kBlock;
}

// Of one block in one lane: 16 float32, and two times 16 float64.
struct LaneSums {
    float* from;
    double *sum, *other;
};

LaneSums lane_sums(const Context& c, Slot slot, const Planes& planes, int64_t lane, int64_t block) {
    float* at = c[slot] + (lane * planes.blocks() + block) * kLaneSums * kBlock;
    double* sums = reinterpret_cast<double*>(at + kBlock);
    return {at, sums, sums + kBlock};
}

void clear(const LaneSums& sums) {
    std::fill_n(sums.sum, 2 * kBlock, 0.0);
}

int64_t lane_images(const Context& c, int64_t lane) {
    return (lane + 1) * c.count / c.lanes - lane * c.count / c.lanes;
}

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
