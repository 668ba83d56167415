// All kinds of training steps. Each family has a file of its own. Slots of tensors that a step may do
// without have the kind `none`.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "conv/convolution.hpp"
#include "training/plan.hpp"

namespace darter::training {

using StepPointer = std::shared_ptr<Step>;

// A blocked array of one batch: blocks and pixels of each image.
struct Planes {
    int64_t channels, pixels;

    int64_t blocks() const { return blocks_of(channels); }
    int64_t floats() const { return pixels * kBlock; }  // of a plane
};

// y = f(conv(x, w) + bias), f a clamp; x plain where told.
StepPointer convolution_step(const std::string& algorithm, const ConvSpec& spec, Slot x, Slot y,
                             Slot w, Slot bias, const Activation& clamp, bool plain_x);
StepPointer input_gradient_step(const std::string& algorithm, const ConvSpec& spec, Slot dy, Slot dx,
                                Slot w, bool accumulate);
// whole: all images are there at once. sums: so many floats, of each lane where they are not.
StepPointer filter_gradient_step(const std::string& algorithm, const ConvSpec& spec, Slot x, Slot dy,
                                 Slot sums, Slot dw, bool whole);
int64_t filter_gradient_floats(const std::string& algorithm, const ConvSpec& spec, bool whole);

// Batch normalization's vectors: a fixed slot of so many floats. With `blocks * 16` floats each:
// mean, 1 / deviation, scale, shift, and of the gradient a, b, c.
constexpr int64_t kVectors = 7;
// Sums of a lane in a fixed slot: 5 times blocks * 16 floats.
constexpr int64_t kLaneSums = 5;

// Statistics of the batch; the running ones move. gamma, beta: or none.
StepPointer statistics_step(const Planes& planes, Slot y, Slot sums, Slot vectors, Slot gamma,
                            Slot beta, Slot running_mean, Slot running_variance, float momentum,
                            float epsilon);
// The vectors from the running statistics.
StepPointer frozen_statistics_step(const Planes& planes, Slot vectors, Slot gamma, Slot beta,
                                   Slot running_mean, Slot running_variance, float epsilon);
// z = f(y * scale + shift + residual); vectors: or none, for an activation alone.
StepPointer normalize_step(const Planes& planes, Slot y, Slot residual, Slot z, Slot vectors,
                           const Activation& activation);
// Sums of g = dz * f' and g * y for the next; dresidual gets g. frozen: the statistics are constants.
StepPointer normalize_sums_step(const Planes& planes, Slot dz, Slot y, Slot z, Slot dresidual,
                                bool accumulate, Slot sums, Slot vectors, Slot dgamma, Slot dbeta,
                                const Activation& activation, bool frozen);
// dy; vectors: or none, then dy = g.
StepPointer normalize_gradient_step(const Planes& planes, Slot dz, Slot y, Slot z, Slot dy,
                                    bool accumulate, Slot vectors, const Activation& activation);
// dbias: the sum of dy over images and pixels.
StepPointer bias_gradient_step(const Planes& planes, Slot dy, Slot sums, Slot dbias);

// to = from, or to += from: so many floats per image.
StepPointer copy_step(int64_t floats, Slot from, Slot to, bool accumulate);
// z = x * gate and back; gate: one pixel per image and channel.
StepPointer gate_step(const Planes& planes, Slot x, Slot gate, Slot z);
StepPointer gate_gradient_step(const Planes& planes, Slot x, Slot gate, Slot dz, Slot dx,
                               bool accumulate_x, Slot dgate, bool accumulate_gate);
// Channels [first, first + part.channels) of a larger array, to or from it.
StepPointer slice_step(const Planes& whole, const Planes& part, int64_t first, Slot from, Slot to,
                       bool join, bool accumulate);
// y = x where a number drawn from (seed, stream, index) is at least p, times 1 / (1 - p); else 0.
StepPointer dropout_step(int64_t floats, Slot x, Slot y, float p, uint64_t stream, bool accumulate);

struct PoolWindows {
    int64_t channels, h, w, out_h, out_w;
    int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
    bool mean, count_padding;  // else the maximum
};
StepPointer pool_step(const PoolWindows& pool, Slot x, Slot y);
StepPointer pool_gradient_step(const PoolWindows& pool, Slot x, Slot y, Slot dy, Slot dx,
                               bool accumulate);

// bfloat16 to float32 and back: so many numbers per image, a multiple of 16.
StepPointer widen_step(int64_t numbers, Slot from, Slot to);
StepPointer shorten_step(int64_t numbers, Slot from, Slot to);

StepPointer to_blocked_step(const Planes& planes, Slot plain, Slot blocked, bool accumulate);
StepPointer from_blocked_step(const Planes& planes, Slot blocked, Slot plain, bool accumulate);

// Rows are images: y = x w^T + bias, (N, inputs) to (N, outputs), plain; w: (outputs, inputs).
StepPointer linear_step(int64_t inputs, int64_t outputs, Slot x, Slot w, Slot bias, Slot y);
StepPointer linear_input_gradient_step(int64_t inputs, int64_t outputs, Slot dy, Slot w, Slot dx,
                                       bool accumulate);
StepPointer linear_filter_gradient_step(int64_t inputs, int64_t outputs, Slot x, Slot dy, Slot dw,
                                        Slot dbias);

}  // namespace darter::training
