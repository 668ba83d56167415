#include "net/recurrent.hpp"

#include <cstring>
#include <vector>

#include "activation/activation.hpp"
#include "net/steps.hpp"
#include "net/vector/kernels.hpp"

namespace darter {
namespace {

void activate(Activation::Kind kind, float* values, int64_t count) {
    activation_kernel()(Activation{kind}, values, count);
}

}  // namespace

Recurrence::Recurrence(Kind kind, int64_t hidden, const float* r, const float* bias)
    : kind_(kind), hidden_(hidden), weights_(gates() * padded() * hidden), bias_(padded()) {
    std::memset(weights_.data(), 0, weights_.size() * sizeof(float));
    std::memset(bias_.data(), 0, bias_.size() * sizeof(float));
    if (bias) std::copy_n(bias, hidden, bias_.data());
    for (int64_t gate = 0; gate < gates(); ++gate)
        for (int64_t out = 0; out < hidden; ++out) {
            float* block = weights_.data() + (gate * padded() + out / kBlock * kBlock) * hidden;
            for (int64_t in = 0; in < hidden; ++in)
                block[in * kBlock + out % kBlock] = r[(gate * hidden + out) * hidden + in];
        }
}

void Recurrence::run(const float* gates, float* y, int64_t steps, bool backward) const {
    std::vector<float> state(2 * padded()), z(this->gates() * padded());
    float *h = state.data(), *other = h + padded();
    for (int64_t i = 0; i < steps; ++i) {
        int64_t t = backward ? steps - 1 - i : i;
        read(gates + t * this->gates() * hidden_, z.data());
        if (kind_ == lstm) lstm_step(h, other, z.data());
        else gru_step(h, other, z.data());
        std::copy_n(h, hidden_, y + t * hidden_);
    }
}

// The gates of one step, each filled up to whole blocks.
void Recurrence::read(const float* gates, float* z) const {
    for (int64_t gate = 0; gate < this->gates(); ++gate) {
        std::copy_n(gates + gate * hidden_, hidden_, z + gate * padded());
        std::fill(z + gate * padded() + hidden_, z + (gate + 1) * padded(), 0.0f);
    }
}

void Recurrence::add_products(const float* h, float* z, int64_t first, int64_t last) const {
    const auto accumulate = vector_kernels().accumulate;
    const float* weights = weights_.data() + first * padded() * hidden_;
    for (int64_t at = 0; at < (last - first) * padded(); at += kBlock)
        accumulate(h, weights + at * hidden_, hidden_, z + at);
}

void Recurrence::lstm_step(float* h, float* c, float* z) const {
    const int64_t size = padded();
    float *in = z, *out = z + size, *forget = z + 2 * size, *cell = z + 3 * size;
    add_products(h, z, 0, 4);
    activate(Activation::sigmoid, z, 3 * size);
    activate(Activation::tanh, cell, size);
    for (int64_t i = 0; i < hidden_; ++i) c[i] = forget[i] * c[i] + in[i] * cell[i];
    std::copy_n(c, size, cell);
    activate(Activation::tanh, cell, size);
    for (int64_t i = 0; i < hidden_; ++i) h[i] = out[i] * cell[i];
}

void Recurrence::gru_step(float* h, float* reset, float* z) const {
    const int64_t size = padded();
    float *update = z, *forget = z + size, *next = z + 2 * size;
    add_products(h, z, 0, 2);
    activate(Activation::sigmoid, z, 2 * size);
    if (kind_ == gru_reset_after) {
        std::copy_n(bias_.data(), size, reset);
        add_products(h, reset, 2, 3);
        for (int64_t i = 0; i < hidden_; ++i) next[i] += forget[i] * reset[i];
    } else {
        for (int64_t i = 0; i < hidden_; ++i) reset[i] = forget[i] * h[i];
        add_products(reset, next, 2, 3);
    }
    activate(Activation::tanh, next, size);
    for (int64_t i = 0; i < hidden_; ++i) h[i] = next[i] + update[i] * (h[i] - next[i]);
}

namespace {

class Recurrent final : public Step {
public:
    Recurrent(std::shared_ptr<const Recurrence> layer, int64_t n, int64_t steps, bool backward)
        : layer_(std::move(layer)), n_(n), steps_(steps), backward_(backward) {}

    void run(const Reads& x, const Writes& y) const override {
        const int64_t hidden = layer_->hidden(), gates = layer_->gates() * hidden;
        each_piece(n_, steps_ * gates * hidden, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i)
                layer_->run(x[0] + i * steps_ * gates, y[0] + i * steps_ * hidden, steps_, backward_);
        });
    }
    size_t weight_bytes() const override { return layer_->weight_bytes(); }

private:
    const std::shared_ptr<const Recurrence> layer_;
    const int64_t n_, steps_;
    const bool backward_;
};

}  // namespace

StepPointer recurrent_step(std::shared_ptr<const Recurrence> layer, int64_t n, int64_t steps,
                           bool backward) {
    return std::make_shared<Recurrent>(std::move(layer), n, steps, backward);
}

}  // namespace darter
