#include "runtime/isa.hpp"

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <atomic>
#include <stdexcept>

#include "runtime/cpu.hpp"

namespace darter {
namespace {

// Linux keeps tiles from programs that do not ask for them.
bool tiles_granted() {
#if defined(__x86_64__) && defined(__linux__)
    constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
    return false;
#endif
}

std::vector<Isa> find_isas() {
#if defined(__aarch64__)
    return {Isa::scalar, Isa::neon};
#endif
    std::vector<Isa> isas = isas_of(read_cpu_bits());
    if (isas.back() == Isa::amx && !tiles_granted()) isas.pop_back();
    return isas;
}

// Found while the module is loaded, see thread_pool.cpp.
const std::vector<Isa> available = find_isas();
const CpuBits cpu_bits = read_cpu_bits();
std::atomic<Isa> active{available.back()};

std::string join_names(const std::vector<Isa>& isas) {
    std::string names;
    for (Isa isa : isas) names += (names.empty() ? "" : ", ") + isa_name(isa);
    return names;
}

constexpr Isa kAll[] = {Isa::scalar, Isa::avx2, Isa::avx512, Isa::amx, Isa::neon};

}  // namespace

std::string isa_name(Isa isa) {
    switch (isa) {
        case Isa::neon: return "neon";
        case Isa::amx: return "amx";
        case Isa::avx512: return "avx512";
        case Isa::avx2: return "avx2";
        default: return "scalar";
    }
}

Isa isa_from_name(const std::string& name) {
    for (Isa isa : kAll)
        if (isa_name(isa) == name) return isa;
    throw std::invalid_argument("unknown instruction set '" + name +
                                "'; known: " + join_names({std::begin(kAll), std::end(kAll)}));
}

std::vector<Isa> available_isas() { return available; }

Isa active_isa() { return active.load(std::memory_order_relaxed); }

void set_isa(Isa isa) {
    if (std::find(available.begin(), available.end(), isa) == available.end())
        throw std::invalid_argument("this CPU has no " + isa_name(isa) + "; it has " +
                                    join_names(available));
    active.store(isa);
}

bool has_avx512_bf16() { return multiplies_bfloat16(cpu_bits); }
bool has_avx512_vpopcntdq() { return counts_bits(cpu_bits); }
bool has_avx512_vnni() { return multiplies_int8(cpu_bits); }
bool has_avx_vnni() { return multiplies_int8_avx2(cpu_bits); }
bool has_amx_int8() { return multiplies_int8_tiles(cpu_bits); }

}  // namespace darter
