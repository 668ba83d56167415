// What the CPU and the operating system allow: the bits of CPUID and XCR0 that darter asks for.
#pragma once
#include <cstdint>
#include <vector>

#include "runtime/isa.hpp"

namespace darter {

// The registers in which x86-64 tells of itself; all 0 on other CPUs.
struct CpuBits {
    uint32_t leaf1_ecx = 0, leaf7_ebx = 0, leaf7_edx = 0, leaf7_1_eax = 0;
    uint64_t xcr0 = 0;  // the registers that the operating system saves for each thread
    uint32_t leaf7_ecx = 0;
};

CpuBits read_cpu_bits();

// Each instruction set needs everything that its sources are compiled for (CMakeLists.txt), and the
// system's care for its registers. `amx` as if the process had been given tiles.
std::vector<Isa> isas_of(const CpuBits& bits);
bool multiplies_bfloat16(const CpuBits& bits);  // AVX-512 BF16
bool counts_bits(const CpuBits& bits);          // AVX-512 VPOPCNTDQ
bool multiplies_int8(const CpuBits& bits);      // AVX-512 VNNI
bool multiplies_int8_avx2(const CpuBits& bits); // AVX-VNNI
bool multiplies_int8_tiles(const CpuBits& bits);  // AMX-INT8, where the set `amx` is used

}  // namespace darter
