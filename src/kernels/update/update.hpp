// What an optimizer does to parameters after a backward pass, and the running average of them, in one
// pass over memory: PyTorch reads and writes them once for each.
#pragma once
#include <cstdint>

namespace darter {

// AdamW (Loshchilov & Hutter, arXiv:1711.05101), or SGD with momentum where `adam` is false.
struct UpdateRule {
    bool adam;
    float rate;                   // adam: divided by the bias correction of the mean
    float decay;                  // adam: factor on weights; SGD: of the weights, added to gradients
    float momentum, rest;         // of the running mean, and of the gradient in it
    float squares, squares_rest;  // the same of the mean of squares
    float correction;             // root of the bias correction of squares
    float epsilon;
    float share;                  // of the new weights in their average
};

// Arrays of `count` numbers; mean (SGD without momentum), square (SGD) and average may be null.
struct Updated {
    float* weight;
    const float* gradient;
    float *mean, *square, *average;
    int64_t count;

    Updated part(int64_t first, int64_t numbers) const {
        auto from = [&](float* array) { return array ? array + first : nullptr; };
        return {weight + first, gradient + first, from(mean), from(square), from(average), numbers};
    }
};

using UpdateKernel = void (*)(const UpdateRule&, const Updated&);

}  // namespace darter
