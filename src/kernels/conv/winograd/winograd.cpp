// Winograd convolution F(m x m, r x r), and its one-dimensional forms. Source: Lavin & Gray,
// arXiv:1509.09308.
#include "conv/winograd/winograd.hpp"

#include <iterator>
#include <stdexcept>

#include "conv/tiled/filters.hpp"
#include "conv/winograd/cook_toom.hpp"

namespace darter {
namespace scalar { extern const WinogradKernels winograd_kernels; }
namespace avx2 { extern const WinogradKernels winograd_kernels; }
namespace avx512 {
extern const WinogradKernels winograd_kernels;
extern const Bfloat16Inputs winograd_bfloat16_inputs;
extern const InputsOfBfloat16 winograd_inputs_of_bfloat16;
}

namespace {

constexpr Dispatch<const WinogradKernels*> kKernels{
    &scalar::winograd_kernels, X86_ONLY(&avx2::winograd_kernels),
    X86_ONLY(&avx512::winograd_kernels)};

constexpr Dispatch<const Bfloat16Inputs*> kBfloat16Inputs{
    nullptr, nullptr, X86_ONLY(&avx512::winograd_bfloat16_inputs)};

const Bfloat16Inputs& active_bfloat16_inputs() {
    const Bfloat16Inputs* inputs = kBfloat16Inputs.active();
    return inputs && has_avx512_bf16() ? *inputs : winograd_transforms().rounded;
}

constexpr Dispatch<const InputsOfBfloat16*> kInputsOfBfloat16{
    nullptr, nullptr, X86_ONLY(&avx512::winograd_inputs_of_bfloat16)};

// G of F(m, n - m + 1).
const winograd::Matrix& filter_matrix(int m, int n) {
    using winograd::transforms;
    static constexpr struct {
        int m, n;
        winograd::Matrix filter;
    } table[] = {{1, 1, transforms(1, 1).filter}, {2, 4, transforms(2, 4).filter},
                 {4, 6, transforms(4, 6).filter}, {6, 8, transforms(6, 8).filter},
                 {2, 6, transforms(2, 6).filter}, {4, 8, transforms(4, 8).filter},
                 {2, 8, transforms(2, 8).filter}};
    for (const auto& row : table)
        if (row.m == m && row.n == n) return row.filter;
    throw std::logic_error("a Winograd kernel without its matrix");
}

// u = G_h g G_w^T
void transform_filter(const TileTransform& t, const float* g, double* u) {
    const auto& down = filter_matrix(t.outputs_h, t.inputs_h).rows;
    const auto& across = filter_matrix(t.outputs_w, t.inputs_w).rows;
    int taps_h = t.inputs_h - t.outputs_h + 1, taps_w = t.inputs_w - t.outputs_w + 1;
    for (int i = 0; i < t.inputs_h; ++i) {
        double half[winograd::kMost] = {};
        for (int a = 0; a < taps_h; ++a)
            for (int b = 0; b < taps_w; ++b) half[b] += down[i].at[a] * g[a * taps_w + b];
        for (int j = 0; j < t.inputs_w; ++j) {
            double value = 0;
            for (int b = 0; b < taps_w; ++b) value += half[b] * across[j].at[b];
            u[i * t.inputs_w + j] = value;
        }
    }
}

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
    return make_tiled(spec, filters, t, precision,
                      [t](const float* g, double* u) { transform_filter(t, g, u); });
}

}  // namespace darter
