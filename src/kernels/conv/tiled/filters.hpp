// Convolutions by transformed tiles whose filters are transformed when they are packed.
#pragma once
#include <functional>
#include <memory>

#include "conv/convolution.hpp"
#include "conv/tiled/tiled.hpp"

namespace darter {

// One filter (R x S) to `positions * parts` values in float64, [position][part]. Null where the
// transform itself has filters of 16 at a time.
using FilterTransform = std::function<void(const float* g, double* u)>;

std::unique_ptr<Convolution> make_tiled(const ConvSpec& spec, const Filters& filters,
                                        const TileTransform& transform, Precision precision,
                                        const FilterTransform& transform_filter);

}  // namespace darter
