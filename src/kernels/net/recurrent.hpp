// A recurrent layer in one direction: what each step of time adds to the products of its input.
#pragma once
#include "net/step.hpp"

namespace darter {

// LSTM (gates i, o, f, c) and GRU (gates z, r, h) as ONNX orders and computes them, from zero state.
// The gates' products with the input, biases included, are computed for all steps before.
class Recurrence {
public:
    enum Kind { lstm, gru, gru_reset_after };

    // r: (gates * hidden, hidden).   bias: (hidden), of the GRU's h where the reset comes after.
    Recurrence(Kind kind, int64_t hidden, const float* r, const float* bias);

    // gates: (steps, gates * hidden) of one image.   y: (steps, hidden)
    void run(const float* gates, float* y, int64_t steps, bool backward) const;

    int64_t hidden() const { return hidden_; }
    int64_t gates() const { return kind_ == lstm ? 4 : 3; }
    size_t weight_bytes() const { return weights_.size() * sizeof(float); }

private:
    int64_t padded() const { return blocks_of(hidden_) * kBlock; }
    // z += r h of gates first ... last - 1
    void add_products(const float* h, float* z, int64_t first, int64_t last) const;
    void lstm_step(float* h, float* c, float* z) const;
    void gru_step(float* h, float* reset, float* z) const;
    void read(const float* gates, float* z) const;

    const Kind kind_;
    const int64_t hidden_;
    Buffer weights_, bias_;  // [gate][block of outputs][input][16]
};

}  // namespace darter
