// The matrices of F(m, r), derived exactly from the points where polynomials are evaluated.
//
//     Y = At [ (G g) * (Bt d) ]        (m outputs, r filter taps, n = m + r - 1 inputs)
//
// At evaluates, G evaluates and divides by N_i, Bt holds the coefficients of the products of
// (x - a_l). The points are 0, +-p, +-q, ... and infinity, in this order: the kernels share the
// even and odd halves of the rows of a pair. Source: Lavin & Gray, arXiv:1509.09308; Barabasz et
// al., arXiv:1803.10986 for the choice of points.
#pragma once
#include <cstdint>

namespace darter::winograd {

struct Rational {
    int64_t above = 0, below = 1;

    consteval Rational() = default;
    consteval Rational(int64_t whole) : above(whole) {}
    consteval Rational(int64_t a, int64_t b) : above(a), below(b) { reduce(); }
    consteval void reduce() {
        int64_t a = above < 0 ? -above : above, b = below < 0 ? -below : below;
        while (b) {
            int64_t rest = a % b;
            a = b, b = rest;
        }
        if (below < 0) a = -a;
        above /= a, below /= a;
    }
    consteval double value() const {
        return static_cast<double>(above) / static_cast<double>(below);
    }
};
consteval Rational operator*(Rational a, Rational b) {
    return {a.above * b.above, a.below * b.below};
}
consteval Rational operator/(Rational a, Rational b) {
    return {a.above * b.below, a.below * b.above};
}
consteval Rational operator+(Rational a, Rational b) {
    return {a.above * b.below + b.above * a.below, a.below * b.below};
}
consteval Rational operator-(Rational a, Rational b) { return a + Rational(-1) * b; }

constexpr int kMost = 8;  // inputs of the largest tiles, F(6, 3), F(4, 5) and F(2, 7)

struct Row {
    double at[kMost] = {};
};

struct Matrix {
    Row rows[kMost] = {};
};

struct Transforms {
    Matrix input;   // Bt: n x n
    Matrix filter;  // G: n x r
    Matrix output;  // At: m x n
};

// The points of a tile of n inputs, without infinity. docs/accuracy.md compares other choices.
struct Points {
    Rational at[kMost] = {};
};

consteval Points points(int n) {
    Points p;
    Rational first = n == 6 ? Rational(2, 3) : Rational(1);
    Rational rest[] = {n == 6 ? Rational(3, 2) : Rational(2), Rational(1, 2)};
    for (int i = 1; i + 1 < n; i += 2) {
        Rational size = i == 1 ? first : rest[i / 2 - 1];
        p.at[i] = size;
        p.at[i + 1] = Rational(-1) * size;
    }
    return p;
}

// Coefficients of the product of (x - a_l) over the finite points, without point `left_out`.
struct Polynomial {
    Rational at[kMost + 1] = {};
};

consteval Polynomial product_of_roots(int n, int left_out) {
    Polynomial product;
    product.at[0] = 1;
    Points a = points(n);
    for (int l = 0; l + 1 < n; ++l) {
        if (l == left_out) continue;
        for (int power = n - 1; power >= 0; --power) {
            Rational lower = power ? product.at[power - 1] : Rational(0);
            product.at[power] = lower - a.at[l] * product.at[power];
        }
    }
    return product;
}

// F(m, n - m + 1). One input and one output: the axis has a single tap, nothing to transform.
consteval Transforms transforms(int m, int n) {
    Transforms t;
    int taps = n - m + 1;
    if (n == 1) {
        t.input.rows[0].at[0] = t.filter.rows[0].at[0] = t.output.rows[0].at[0] = 1;
        return t;
    }
    Points a = points(n);
    for (int i = 0; i < n; ++i) {
        bool finite = i + 1 < n;
        Polynomial row = product_of_roots(n, finite ? i : -1);
        for (int j = 0; j < n; ++j) t.input.rows[i].at[j] = row.at[j].value();

        Rational scale = 1, power = 1;
        for (int l = 0; finite && l + 1 < n; ++l)
            if (l != i) scale = scale * (a.at[i] - a.at[l]);
        for (int j = 0; j < n; ++j) {
            if (j < taps) t.filter.rows[i].at[j] = finite ? (power / scale).value() : j == taps - 1;
            if (j < m) t.output.rows[j].at[i] = finite ? power.value() : j == m - 1;
            power = power * a.at[i];
        }
    }
    return t;
}

// The matrices of winograd/on_the_fly.hpp.
struct OnTheFly {
    double square;  // p²
    Matrix kept;    // 3 x 3, from taps to x, y, z
    Matrix output;  // At with each column divided by the factor that its row of filters has too much
};

consteval OnTheFly on_the_fly() {
    Points a = points(6);
    Rational p = a.at[1], square = p * p;
    if (Rational one = p * a.at[3]; one.above != one.below) throw "the points are not inverses";
    OnTheFly t;
    t.square = square.value();
    t.kept.rows[0].at[0] = t.kept.rows[2].at[2] = 1;
    t.kept.rows[0].at[2] = t.kept.rows[2].at[0] = t.square;
    t.kept.rows[1].at[1] = p.value();

    Transforms exact = transforms(4, 6);
    t.output = exact.output;
    for (int i = 0; i < 6; ++i) {
        bool ends = i == 0 || i == 5;
        const Row &x = t.kept.rows[i < 3 ? 0 : 2], &z = t.kept.rows[i < 3 ? 2 : 0];
        const Row& second = ends ? z : t.kept.rows[1];
        double sign = ends ? -t.square : i % 2 ? 1 : -1;
        // G has the same row, but for a factor.
        int largest = i < 3 ? 0 : 2;
        double value = x.at[largest] + sign * second.at[largest];
        double factor = exact.filter.rows[i].at[largest] / value;
        for (int j = 0; j < 4; ++j) t.output.rows[j].at[i] *= factor;
    }
    return t;
}

constexpr OnTheFly kOnTheFly = on_the_fly();

}  // namespace darter::winograd
