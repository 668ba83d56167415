#include "conv/winograd/kernel.hpp"
#include "simd/avx512_bf16.hpp"

namespace darter::avx512 {

extern const Bfloat16Inputs winograd_bfloat16_inputs;
const Bfloat16Inputs winograd_bfloat16_inputs = winograd::bfloat16_inputs<Vector, Bfloat16>();

extern const InputsOfBfloat16 winograd_inputs_of_bfloat16;
const InputsOfBfloat16 winograd_inputs_of_bfloat16 =
    winograd::inputs_of_bfloat16<Vector, Bfloat16>();

}  // namespace darter::avx512
