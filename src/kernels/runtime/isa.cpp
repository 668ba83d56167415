#include "runtime/isa.hpp"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <stdexcept>

namespace darter {
namespace {

std::string join_names(const std::vector<Isa>& isas) {
    std::string names;
    for (Isa isa : isas) names += (names.empty() ? "" : ", ") + isa_name(isa);
    return names;
}

// Linux keeps tiles from programs that do not ask for them.
bool has_tiles() {
#if defined(__x86_64__) && defined(__linux__)
    constexpr unsigned kBfloat16 = 1u << 22, kTiles = 1u << 24;  // of leaf 7, edx
    constexpr int kRequestPermission = 0x1023, kTileData = 18;   // ARCH_REQ_XCOMP_PERM
    static const bool permitted = [] {
        unsigned eax, ebx, ecx, edx = 0;
        return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && edx & kBfloat16 &&
               edx & kTiles && syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
    }();
    return permitted;
#else
    return false;
#endif
}

Isa choose_at_import() {
    const char* forced = std::getenv("DARTER_ISA");
    if (!forced || !*forced) return available_isas().back();
    Isa isa = isa_from_name(forced);
    auto available = available_isas();
    if (std::find(available.begin(), available.end(), isa) == available.end())
        throw std::invalid_argument("DARTER_ISA=" + std::string(forced) +
                                    ": this CPU has only " + join_names(available));
    return isa;
}

std::atomic<Isa>& active() {
    static std::atomic<Isa> isa{choose_at_import()};
    return isa;
}

}  // namespace

std::string isa_name(Isa isa) {
    switch (isa) {
        case Isa::amx: return "amx";
        case Isa::avx512: return "avx512";
        case Isa::avx2: return "avx2";
        default: return "scalar";
    }
}

Isa isa_from_name(const std::string& name) {
    for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::amx})
        if (isa_name(isa) == name) return isa;
    throw std::invalid_argument("unknown instruction set '" + name +
                                "'; known: scalar, avx2, avx512, amx");
}

std::vector<Isa> available_isas() {
    std::vector<Isa> isas{Isa::scalar};
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx2) isas.push_back(Isa::avx2);
    if (avx512) isas.push_back(Isa::avx512);
    if (avx512 && has_avx512_bf16() && has_tiles()) isas.push_back(Isa::amx);
#endif
    return isas;
}

Isa active_isa() { return active().load(std::memory_order_relaxed); }

void set_isa(Isa isa) {
    auto available = available_isas();
    if (std::find(available.begin(), available.end(), isa) == available.end())
        throw std::invalid_argument("this CPU has no " + isa_name(isa) + "; it has " +
                                    join_names(available));
    active().store(isa);
}

bool has_avx512_bf16() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

}  // namespace darter
