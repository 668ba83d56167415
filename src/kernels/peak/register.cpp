#include <algorithm>
#include <chrono>
#include <vector>

#include "peak/peak.hpp"
#include "register.hpp"
#include "runtime/isa.hpp"
#include "runtime/memory.hpp"
#include "runtime/thread_pool.hpp"

namespace darter {
namespace scalar { extern const PeakKernels peak_kernels; }
namespace avx2 { extern const PeakKernels peak_kernels; }
namespace neon { extern const PeakKernels peak_kernels; }
namespace avx512 { extern const PeakKernels peak_kernels; }

namespace {

constexpr Dispatch<const PeakKernels*> kKernels{EVERY_ISA(peak_kernels)};

const PeakKernels& active_kernels() { return *kKernels.active(); }

// Seconds of the fastest of some runs of `body` on every thread at once.
template <typename Body>
double fastest(const Body& body) {
    double best = 1e9;
    std::vector<double> keep(threads());  // results that are used cannot be left out
    for (int run = 0; run < 7; ++run) {
        auto start = std::chrono::steady_clock::now();
        parallel_for(keep.size(), [&](size_t thread) { keep[thread] += body(thread); });
        std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        best = std::min(best, took.count());
    }
    volatile double used = keep[0];
    (void)used;
    return best;
}

double peak_gflops() {
    const PeakKernels& kernels = active_kernels();
    constexpr int64_t rounds = 1'000'000;
    double seconds = fastest([&](size_t) { return kernels.multiply_add(rounds); });
    return 2e-9 * kernels.lanes * kChains * static_cast<double>(rounds) * threads() / seconds;
}

double read_gigabytes() {
    const PeakKernels& kernels = active_kernels();
    constexpr int64_t count = int64_t{24} << 20;  // 96 MiB per thread: larger than the caches
    Buffer data(count * threads());
    std::fill_n(data.data(), data.size(), 0.0f);
    double seconds =
        fastest([&](size_t thread) { return kernels.read(data.data() + thread * count, count); });
    return 4e-9 * static_cast<double>(count) * threads() / seconds;
}

}  // namespace

void register_peak(nb::module_& m) {
    m.def("peak_gflops", &peak_gflops, nb::call_guard<nb::gil_scoped_release>());
    m.def("read_gigabytes", &read_gigabytes, nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace darter
