#include "rounding/sums.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>
#include <vector>

#include "bfloat16/number.hpp"

namespace darter {
namespace {

constexpr uint32_t kMiddle = 0x8000;  // lower 16 bits of a number between two neighbors

// A number that may go to its other neighbor: by how much that moves the sum, and what it costs, as
// the growth of the squared error for a sum moved by one.
struct Turn {
    int64_t at;
    float other;
    double step, cost;
};

bool dearer(const Turn& a, const Turn& b) { return a.cost != b.cost ? a.cost > b.cost : a.at > b.at; }

uint32_t from_middle(float x) {
    const uint32_t lower = std::bit_cast<uint32_t>(x) & 0xffff;
    return lower > kMiddle ? lower - kMiddle : kMiddle - lower;
}

// The neighbor of `exact` in bfloat16 on the other side from `rounded`, which is not 0 or infinite.
float other_neighbor(float exact, float rounded) {
    const bool below = std::fabs(rounded) < std::fabs(exact);
    return from_bfloat16(static_cast<uint16_t>(to_bfloat16(rounded) + (below ? 1 : -1)));
}

// All that move the sum against its error, of numbers at least `nearest` and less than `farthest` from the middle.
std::vector<Turn> turns(const float* from, const float* to, int64_t count, double error, uint32_t nearest,
                        uint32_t farthest) {
    std::vector<Turn> found;
    for (int64_t i = 0; i < count; ++i) {
        const uint32_t distance = from_middle(from[i]);
        if (distance < nearest || distance >= farthest || to[i] == 0) continue;
        const double own = static_cast<double>(to[i]) - from[i];
        if ((own > 0) != (error > 0)) continue;
        const float other = other_neighbor(from[i], to[i]);
        if (!std::isfinite(other)) continue;
        const double step = static_cast<double>(other) - to[i], turned = own + step;
        found.push_back({i, other, step, (turned * turned - own * own) / std::fabs(step)});
    }
    return found;
}

// Takes turns, the cheapest first, while they help. Returns whether there were enough.
bool take(std::vector<Turn>& from, float* to, double& error) {
    std::make_heap(from.begin(), from.end(), dearer);  // few are taken: no need to sort all
    for (auto end = from.end(); end != from.begin(); --end) {
        std::pop_heap(from.begin(), end, dearer);
        const Turn& turn = *(end - 1);
        if (std::fabs(error + turn.step) >= std::fabs(error)) return true;
        to[turn.at] = turn.other;
        error += turn.step;
    }
    return false;
}

}  // namespace

void round_row_keeping_sum(const float* from, float* to, int64_t count) {
    double error = 0;
    for (int64_t i = 0; i < count; ++i) {
        to[i] = from_bfloat16(to_bfloat16(from[i]));
        error += static_cast<double>(to[i]) - from[i];
    }
    if (!std::isfinite(error)) return;
    constexpr uint32_t kNear = kMiddle / 8;  // of long rows, these are enough
    for (const auto& [nearest, farthest] : {std::pair{0u, kNear}, std::pair{kNear, kMiddle}}) {
        std::vector<Turn> some = turns(from, to, count, error, nearest, farthest);
        if (take(some, to, error)) return;
    }
}

}  // namespace darter
