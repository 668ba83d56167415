#include "runtime/cpu.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace darter {
namespace {

// Positions in Intel's manual, volume 2A, CPUID.
constexpr uint32_t bit(int position) { return uint32_t{1} << position; }
constexpr uint32_t kFma = bit(12), kXsaveInUse = bit(27), kAvx = bit(28), kF16c = bit(29);  // 1, ecx
constexpr uint32_t kAvx2 = bit(5), kAvx512f = bit(16), kAvx512dq = bit(17), kAvx512bw = bit(30),
                   kAvx512vl = bit(31);                                                    // 7, ebx
constexpr uint32_t kAvx512Vnni = bit(11), kAvx512Vpopcntdq = bit(14);                       // 7, ecx
constexpr uint32_t kAmxBf16 = bit(22), kAmxTile = bit(24), kAmxInt8 = bit(25);              // 7, edx
constexpr uint32_t kAvxVnni = bit(4), kAvx512Bf16 = bit(5);                          // 7.1, eax
constexpr uint64_t kYmm = bit(1) | bit(2), kZmm = kYmm | bit(5) | bit(6) | bit(7),
                   kTiles = bit(17) | bit(18);                                             // XCR0

constexpr bool all(uint64_t bits, uint64_t wanted) { return (bits & wanted) == wanted; }

bool avx2(const CpuBits& cpu) {
    return all(cpu.leaf1_ecx, kFma | kXsaveInUse | kAvx | kF16c) && all(cpu.leaf7_ebx, kAvx2) &&
           all(cpu.xcr0, kYmm);
}

bool avx512(const CpuBits& cpu) {
    return avx2(cpu) && all(cpu.leaf7_ebx, kAvx512f | kAvx512dq | kAvx512bw | kAvx512vl) &&
           all(cpu.xcr0, kZmm);
}

bool amx(const CpuBits& cpu) {
    return multiplies_bfloat16(cpu) && all(cpu.leaf7_edx, kAmxBf16 | kAmxTile) &&
           all(cpu.xcr0, kTiles);
}

}  // namespace

CpuBits read_cpu_bits() {
    CpuBits cpu;
#if defined(__x86_64__)
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid_count(1, 0, &eax, &ebx, &ecx, &edx)) return cpu;
    cpu.leaf1_ecx = ecx;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
        cpu.leaf7_ebx = ebx;
        cpu.leaf7_ecx = ecx;
        cpu.leaf7_edx = edx;
        const unsigned last_subleaf = eax;
        if (last_subleaf >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx))
            cpu.leaf7_1_eax = eax;
    }
    if (cpu.leaf1_ecx & kXsaveInUse) {  // else XGETBV is no instruction
        uint32_t low, high;
        __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        cpu.xcr0 = uint64_t{high} << 32 | low;
    }
#endif
    return cpu;
}

std::vector<Isa> isas_of(const CpuBits& cpu) {
    std::vector<Isa> isas{Isa::scalar};
    if (avx2(cpu)) isas.push_back(Isa::avx2);
    if (avx512(cpu)) isas.push_back(Isa::avx512);
    if (amx(cpu)) isas.push_back(Isa::amx);
    return isas;
}

bool multiplies_bfloat16(const CpuBits& cpu) {
    return avx512(cpu) && all(cpu.leaf7_1_eax, kAvx512Bf16);
}

bool counts_bits(const CpuBits& cpu) { return avx512(cpu) && all(cpu.leaf7_ecx, kAvx512Vpopcntdq); }

bool multiplies_int8(const CpuBits& cpu) { return avx512(cpu) && all(cpu.leaf7_ecx, kAvx512Vnni); }

bool multiplies_int8_avx2(const CpuBits& cpu) { return avx2(cpu) && all(cpu.leaf7_1_eax, kAvxVnni); }

bool multiplies_int8_tiles(const CpuBits& cpu) { return amx(cpu) && all(cpu.leaf7_edx, kAmxInt8); }

}  // namespace darter
