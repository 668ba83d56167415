// All kinds of steps. Each family has a file of its own.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "net/step.hpp"

namespace darter {

using StepPointer = std::shared_ptr<const Step>;

// x, residual (where added) -> y; x and y of elements that the convolution takes, the residual of y's
StepPointer convolution_step(std::shared_ptr<const Convolution> convolution, bool residual,
                             Element x, Element y);

// x, residual (where added) -> y, all of 1x1 pixels and n images
class FullyConnected;
StepPointer fully_connected_step(std::shared_ptr<const FullyConnected> layer, bool residual,
                                 int64_t n, int64_t x_blocks, int64_t y_blocks);

// Runs a program for one image `times` times, on as many images at once as there are threads;
// x_bytes, y_bytes: of an image in each input and output.
class Program;
StepPointer repeat_step(std::shared_ptr<const Program> program, int64_t times,
                        std::vector<int64_t> x_bytes, std::vector<int64_t> y_bytes);

// (n, steps, gates * hidden) -> (n, steps, hidden), plain
class Recurrence;
StepPointer recurrent_step(std::shared_ptr<const Recurrence> layer, int64_t n, int64_t steps,
                           bool backward);

// x >= threshold, per channel, as bits (see binary/binary.hpp)
StepPointer pack_bits_step(const Blocked& x, const std::vector<float>& thresholds);

// bits, residual (where added) -> y, blocked; or bits, where the layer gives them
class BinaryConvolution;
StepPointer binary_step(std::shared_ptr<const BinaryConvolution> layer, int64_t n, bool residual,
                        int64_t y_blocks);

// float32 <-> uint8, blocked and whole alike: round(x / step within [low, high]) + zero, and back
struct IntegerRounding;
StepPointer quantize_step(const Blocked& x, const IntegerRounding& to);
StepPointer quantize_plain_step(const Blocked& y, const IntegerRounding& to);
StepPointer dequantize_step(const Blocked& x, float scale, float zero);

// uint8, uint8 -> uint8, all of a's shape, blocked and whole; numbers: see IntegerKernels::add
StepPointer add_integers_step(const Blocked& a, const std::vector<float>& numbers);

// uint8 -> uint8, blocked and whole, each number's successor in a table of 256; the channels of x
// become those of y from `channel` on
StepPointer integer_scale_step(const Blocked& x, const std::vector<float>& numbers);
StepPointer integer_table_step(const Blocked& x, const Blocked& y, int64_t channel,
                               const std::vector<uint8_t>& table);
struct PoolShape;
StepPointer integer_pool_step(const Blocked& x, const Blocked& y, const PoolShape& shape);
// pictures, blocked -> rows (N, C * H * W, 1, 1), blocked, channel by channel
StepPointer integer_rows_step(const Blocked& x);

// uint8, residual (where the layer adds one) -> uint8, blocked, whole (see integer/integer.hpp)
class IntegerConvolution;
StepPointer integer_step(std::shared_ptr<const IntegerConvolution> layer, int64_t n);
// float32, plain, ... -> uint8: pictures that are rounded first
StepPointer rounded_integer_step(std::shared_ptr<const IntegerConvolution> layer, int64_t n,
                                 const IntegerRounding& first);

struct PoolShape {
    int64_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right;
    int64_t dilation_h, dilation_w;
    bool mean, count_padding;  // else the maximum
};
StepPointer pool_step(const Blocked& x, const Blocked& y, const PoolShape& shape);

// function: add, sub, mul, div, min, max, prelu. An operand of 1x1 pixels is used for all pixels;
// one of n = 0 images and 1x1 pixels (a constant) for all images too.
StepPointer eltwise_step(const std::string& function, const Blocked& a, const Blocked& b,
                         const Blocked& y, const Activation& activation);
// x, scale, shift -> y; both of blocks * 16 floats.
StepPointer scale_step(const Blocked& x, const Blocked& y, const Activation& activation);
StepPointer activation_step(const Blocked& x, const Blocked& y, const Activation& activation);

// Any number of inputs. sources: for each channel of y, its input and the channel in it.
StepPointer channels_step(const std::vector<Blocked>& x, const Blocked& y,
                          const std::vector<std::pair<int64_t, int64_t>>& sources);

StepPointer to_blocked_step(const Blocked& y);    // plain (N, C, H, W) -> blocked
StepPointer from_blocked_step(const Blocked& x);  // and back

// x, scale, shift -> y; over all channels of a pixel.
StepPointer layer_norm_step(const Blocked& x, const Blocked& y, float epsilon);
// x, scale, shift -> y; over the pixels of all channels of a group.
StepPointer group_norm_step(const Blocked& x, const Blocked& y, int64_t groups, float epsilon);
StepPointer lrn_step(const Blocked& x, const Blocked& y, int64_t size, float alpha, float beta,
                     float bias);

// y (n, c, a * h, b * w) of x (n, c * a * b, h, w); channels_first: the a * b places of a channel lie
// side by side in x, else the channels of a place.
StepPointer depth_to_space_step(const Blocked& x, const Blocked& y, bool channels_first);

// Each output row is a weighted sum of `taps` input rows, and likewise columns: resize and pad.
// An index of -1 is a pixel of zeros.
struct Taps {
    int64_t count;                // per output
    std::vector<int64_t> index;   // [output][tap]
    std::vector<float> weight;
};
StepPointer resample_step(const Blocked& x, const Blocked& y, Taps rows, Taps columns, float border);

// Plain arrays of any rank, described by sizes and strides in floats.
struct Part {
    int64_t x, y;                 // number of the input and of the output
    int64_t x_offset, y_offset;
    std::vector<int64_t> sizes, x_strides, y_strides;
};
StepPointer move_step(std::vector<Part> parts);
// y = c ? a : b, c being true where it is not 0
StepPointer select_step(std::vector<int64_t> sizes, std::vector<int64_t> c_strides,
                        std::vector<int64_t> a_strides, std::vector<int64_t> b_strides);
// x: (outer, axis, inner) -> the place of the largest, or least, along the axis; of equals the
// first, or last.
StepPointer arg_step(int64_t outer, int64_t axis, int64_t inner, bool least, bool last);
// x: (outer, axis, inner) -> (outer, count, inner): the places of the largest values, or the least,
// the largest first, of equals the first.
StepPointer top_places_step(int64_t outer, int64_t axis, int64_t inner, int64_t count, bool least);
// x: (outer, axis, inner), places (outer, count, inner) -> the values at these places of the axis
StepPointer gather_along_step(int64_t outer, int64_t axis, int64_t inner, int64_t count);
// Boxes (pictures, boxes, 4), scores (pictures, classes, boxes) -> 1 for each box that stays, else 0
// (greedy non-maximum suppression). most: per class. overlap: intersection over union above which
// two are one. least: scores must be above it. middles: boxes are told by middle and sides, and
// not by two corners.
StepPointer keep_boxes_step(int64_t pictures, int64_t classes, int64_t boxes, int64_t most,
                            float overlap, float least, bool middles);
// x (n, channels, h, w) blocked, boxes (n, boxes, 4) in x0, y0, x1, y1 -> (n, boxes, channels, rows,
// columns), plain. scale: from the boxes' pixels to those of x. samples: of a bin along each axis;
// 0: one for each pixel that it is long. half_pixel: pixel 0 lies around 0.5, not at 0. maximum:
// else the mean.
struct RegionShape {
    int64_t rows, columns, samples;
    double scale;
    bool half_pixel, maximum;
};
StepPointer align_regions_step(const Blocked& x, int64_t boxes, const RegionShape& shape);
// function: those of eltwise_step, pow, and comparisons, which give 1 or 0.
StepPointer broadcast_step(const std::string& function, std::vector<int64_t> sizes,
                           std::vector<int64_t> a_strides, std::vector<int64_t> b_strides,
                           const Activation& activation);
// x: (outer, axis, inner)
StepPointer softmax_step(int64_t outer, int64_t axis, int64_t inner, bool log);
// y(i) = function over j of x(i, j); function: mean, sum, max, min, prod, l1, l2, log_sum, ...
StepPointer reduce_step(const std::string& function, std::vector<int64_t> kept_sizes,
                        std::vector<int64_t> kept_strides, std::vector<int64_t> sizes,
                        std::vector<int64_t> strides);
// (batch, m, k) x (batch, k, n); batch offsets of a and b in floats.
StepPointer matmul_step(std::vector<int64_t> a_offsets, std::vector<int64_t> b_offsets, int64_t m,
                        int64_t n, int64_t k);

}  // namespace darter
