// Winograd convolution F(m x m, r x r), and its one-dimensional forms. Source: Lavin & Gray,
// arXiv:1509.09308.
#include "conv/winograd/winograd.hpp"

#include <iterator>
#include <stdexcept>

#include "conv/tiled/filters.hpp"

namespace darter {
namespace scalar { extern const WinogradKernels winograd_kernels; }
namespace avx2 { extern const WinogradKernels winograd_kernels; }
namespace neon { extern const WinogradKernels winograd_kernels; }
namespace avx512 {
extern const WinogradKernels winograd_kernels;
extern const Bfloat16Inputs winograd_bfloat16_inputs;
extern const InputsOfBfloat16 winograd_inputs_of_bfloat16;
}

namespace {

constexpr Dispatch<const WinogradKernels*> kKernels{EVERY_ISA(winograd_kernels)};

constexpr Dispatch<const Bfloat16Inputs*> kBfloat16Inputs{
    nullptr, nullptr, X86_ONLY(&avx512::winograd_bfloat16_inputs)};

const Bfloat16Inputs& active_bfloat16_inputs() {
    const Bfloat16Inputs* inputs = kBfloat16Inputs.active();
    return inputs && has_avx512_bf16() ? *inputs : winograd_transforms().rounded;
}

constexpr Dispatch<const InputsOfBfloat16*> kInputsOfBfloat16{
    nullptr, nullptr, X86_ONLY(&avx512::winograd_inputs_of_bfloat16)};

TileTransform kernel_for(const ConvSpec& spec, int tile) {
    int64_t m_h = spec.r == 1 ? 1 : tile, m_w = spec.s == 1 ? 1 : tile;
    for (TileTransform t : winograd_transforms().all)
        if (t.outputs_h == m_h && t.inputs_h == m_h + spec.r - 1 && t.outputs_w == m_w &&
            t.inputs_w == m_w + spec.s - 1) {
            t.input_of_bfloat16 = winograd_input_of_bfloat16(t.inputs_h, t.inputs_w);
            return t;
        }
    throw std::invalid_argument("no Winograd kernel of this tile for these filters");
}

}  // namespace

const WinogradKernels& winograd_transforms() { return *kKernels.active(); }

void (*winograd_input_of_bfloat16(int inputs_h, int inputs_w))(const InputTile&) {
    const InputsOfBfloat16* inputs = kInputsOfBfloat16.active();
    if (!inputs || !has_avx512_bf16()) return nullptr;
    const WinogradKernels& kernels = winograd_transforms();
    for (size_t i = 0; i < std::size(kernels.all); ++i)
        if (kernels.all[i].inputs_h == inputs_h && kernels.all[i].inputs_w == inputs_w)
            return inputs->all[i];
    return nullptr;
}

std::unique_ptr<Convolution> make_winograd(const ConvSpec& spec, const Filters& filters, int tile,
                                           Precision precision) {
    TileTransform t = kernel_for(spec, tile);
    if (precision == Precision::bfloat16) {
        bool square = t.inputs_h == t.inputs_w;
        if (!square || t.inputs_h > 6)
            throw std::invalid_argument("no bfloat16 Winograd kernel for these filters");
        const Bfloat16Inputs& inputs = active_bfloat16_inputs();
        t.input = t.inputs_h == 4 ? inputs.inputs_4 : inputs.inputs_6;
        if (t.input_of_bfloat16) {
            const Bfloat16Inputs& rounded = kInputsOfBfloat16.active()->rounded;
            t.input_of_bfloat16 = t.inputs_h == 4 ? rounded.inputs_4 : rounded.inputs_6;
        }
    }
    return make_tiled(spec, filters, t, precision, nullptr);
}

}  // namespace darter
