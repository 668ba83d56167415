#include "warp/survey.hpp"

#include <algorithm>
#include <cmath>

#include "warp/border.hpp"

namespace darter::warp {
namespace {

constexpr int kGrid = 17;  // points along each side at which a map is surveyed

struct Point {
    double u, v;
};

Point map_point(const Map& map, double x, double y) {
    if (map.bent) {
        double dx = x - map.cx, dy = y - map.cy;
        double r2 = (dx * dx + dy * dy) / (map.radius * map.radius);
        double factor = 1 + map.k1 * r2 + map.k2 * r2 * r2;
        x = map.cx + dx * factor;
        y = map.cy + dy * factor;
    }
    const double* h = map.h;
    double w = h[6] * x + h[7] * y + h[8];
    return {(h[0] * x + h[1] * y + h[2]) / w, (h[3] * x + h[4] * y + h[5]) / w};
}

// What a survey of the map found along one axis of the picture.
struct Survey {
    double length, low, high, steps2 = 0;  // steps2: squared picture pixels per output pixel, summed

    explicit Survey(int64_t pixels) : length(pixels), low(2.0 * pixels), high(-1.0 * pixels) {}

    void add(double at, double step_x, double step_y) {
        at = clamp(at, -length, 2 * length);
        low = std::min(low, at);
        high = std::max(high, at);
        double step = clamp(std::sqrt(step_x * step_x + step_y * step_y), 0, length);
        steps2 += step * step;
    }

    // A box as wide as the pitch, then bilinear, blurs like a triangle of sqrt(3/2) times the pitch.
    Extent extent(double budget) const {
        double scale = std::sqrt(steps2 / (kGrid * kGrid));
        double first = std::max(-length, low - 2 - scale);
        double last = std::min(2 * length, high + 2 + scale);
        double origin = std::floor(first + 1e-6);
        double pitch = std::max({1.0, std::sqrt(2.0 / 3.0) * scale, (last - origin) / budget});
        return {origin, pitch, std::max<int64_t>(2, std::ceil((last - origin) / pitch) + 1)};
    }
};

}  // namespace

void survey(int64_t width, int64_t height, const Output& out, const Map& map, Extent& across,
            Extent& down) {
    Survey u(width), v(height);
    for (int j = 0; j < kGrid; ++j)
        for (int i = 0; i < kGrid; ++i) {
            double x = out.width * (i / (kGrid - 1.0)), y = out.height * (j / (kGrid - 1.0));
            Point here = map_point(map, x, y);
            Point left = map_point(map, x - 0.5, y), right = map_point(map, x + 0.5, y);
            Point above = map_point(map, x, y - 0.5), below = map_point(map, x, y + 0.5);
            u.add(here.u, right.u - left.u, below.u - above.u);
            v.add(here.v, right.v - left.v, below.v - above.v);
        }
    double budget = 4.0 * (out.width + out.height) + 64;  // keeps levels of wild maps small
    across = u.extent(budget);
    down = v.extent(budget);
}

}  // namespace darter::warp
