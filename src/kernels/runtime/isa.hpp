// Instruction sets: what this CPU has, and which one the kernels use now.
#pragma once
#include <string>
#include <vector>

namespace darter {

// Of x86-64, each has all that the ones before it have. amx: tiles, for products of bfloat16 only.
// neon: of 64-bit Arm CPUs, all of them.
enum class Isa { scalar, avx2, avx512, amx, neon };

std::string isa_name(Isa isa);
Isa isa_from_name(const std::string& name);  // throws std::invalid_argument, naming the choices

std::vector<Isa> available_isas();  // from slowest to fastest
Isa active_isa();                   // the fastest one, unless set_isa chose another
void set_isa(Isa isa);              // throws std::invalid_argument where the CPU lacks it
bool has_avx512_bf16();             // bfloat16 dot products; only meaningful from Isa::avx512 on
bool has_avx512_vpopcntdq();        // counting of bits; likewise
bool has_avx512_vnni();             // products of u8 and s8; likewise
bool has_avx_vnni();                // the same in 256 bits, from Isa::avx2 on
bool has_amx_int8();                // the same on tiles, from Isa::amx on

// One slot per instruction set; a family fills those that its folder has sources for:
//
//     constexpr Dispatch<const Kernels*> kKernels{EVERY_ISA(kernels)};   scalar::kernels, …
//     constexpr Dispatch<const Kernels*> kKernels{&scalar::kernels, X86_ONLY(&avx2::kernels),
//                                                 X86_ONLY(&avx512::kernels)};   Arm takes scalar
//     kKernels.active()->...
template <typename Function>
struct Dispatch {
    Function scalar, avx2, avx512;
    Function amx = avx512;
    Function neon = scalar;

    Function of(Isa isa) const {
        switch (isa) {
            case Isa::neon: return neon;
            case Isa::amx: return amx;
            case Isa::avx512: return avx512;
            case Isa::avx2: return avx2;
            default: return scalar;
        }
    }
    Function active() const { return of(active_isa()); }
};

// Sources of an instruction set are compiled for its CPUs alone.
#if defined(__x86_64__)
#define X86_ONLY(kernels) kernels
#else
#define X86_ONLY(kernels) nullptr
#endif
#if defined(__aarch64__)
#define ARM_ONLY(kernels) kernels
#else
#define ARM_ONLY(kernels) nullptr
#endif

// For a family that has sources of that name for scalar, avx2, avx512 and neon.
#define EVERY_ISA(name)                                                              \
    &scalar::name, X86_ONLY(&avx2::name), X86_ONLY(&avx512::name),                   \
        X86_ONLY(&avx512::name), ARM_ONLY(&neon::name)

}  // namespace darter
