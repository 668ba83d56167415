// Fast Fourier transforms of n values per lane, n a power of two: radix 2, twiddles known at compile
// time. Only for files of one instruction set: everything depends on the vector type.
#pragma once
#include <utility>

namespace darter::fourier {

// sin and cos of 2 pi k / n by their series, on the first octant; exact to float64 rounding.
consteval double series(double x, bool sine) {
    double term = sine ? x : 1, sum = term;
    for (int i = sine ? 2 : 1; i < 30; i += 2) {
        term *= -x * x / (i * (i + 1));
        sum += term;
    }
    return sum;
}

struct Twiddle {
    float re[16] = {}, im[16] = {};  // exp(-2 pi i k / n), k < n / 2
};

consteval Twiddle twiddles(int n) {
    constexpr double two_pi = 6.283185307179586476925286766559;
    Twiddle t;
    for (int k = 0; k < n / 2; ++k) {
        // Turn the angle into the first octant, where the series is short.
        int quarter = 4 * k / n, rest = k - quarter * n / 4;
        bool swap = 8 * rest > n;
        double x = two_pi * (swap ? n / 4 - rest : rest) / n;
        double c = series(x, swap), s = series(x, !swap);
        t.re[k] = static_cast<float>(quarter ? -s : c);
        t.im[k] = static_cast<float>(quarter ? -c : -s);
    }
    return t;
}

[[gnu::always_inline]] constexpr int reversed(int i, int n) {
    int r = 0;
    for (int bit = 1; bit < n; bit <<= 1, i >>= 1) r = r << 1 | (i & 1);
    return r;
}

// In place; re[k * stride], im[k * stride]. `Inverse` leaves out the division by n.
template <class V, int n, bool Inverse>
void transform(V* re, V* im, int stride) {
    static constexpr Twiddle t = twiddles(n);
    V a[n], b[n];
    for (int i = 0; i < n; ++i) {
        a[i] = re[reversed(i, n) * stride];
        b[i] = im[reversed(i, n) * stride];
    }
    for (int half = 1; half < n; half *= 2)
        for (int first = 0; first < n; first += 2 * half)
            for (int k = 0; k < half; ++k) {
                int i = first + k, j = i + half;
                V c = V::fill(t.re[k * (n / 2 / half)]);
                V s = V::fill(Inverse ? -t.im[k * (n / 2 / half)] : t.im[k * (n / 2 / half)]);
                V x = a[j] * c - b[j] * s, y = fma(a[j], s, b[j] * c);
                a[j] = a[i] - x;
                b[j] = b[i] - y;
                a[i] = a[i] + x;
                b[i] = b[i] + y;
            }
    for (int i = 0; i < n; ++i) {
        re[i * stride] = a[i];
        im[i * stride] = b[i];
    }
}

}  // namespace darter::fourier
