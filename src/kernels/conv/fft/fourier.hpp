// Fast Fourier transforms of n = A * B values per lane: B transforms of A values, twiddles, A of B.
// Source: Cooley & Tukey 1965. Only for files of one instruction set: all depends on the vector type.
#pragma once

namespace darter::fourier {

constexpr int kMost = 64;  // values

// sin and cos by their series, exact to float64 rounding on the first octant.
consteval double series(double x, bool sine) {
    double term = sine ? x : 1, sum = term;
    for (int i = sine ? 2 : 1; i < 30; i += 2) {
        term *= -x * x / (i * (i + 1));
        sum += term;
    }
    return sum;
}

struct Twiddles {
    float re[kMost] = {}, im[kMost] = {};  // exp(-2 pi i k / n), k < n
};

consteval Twiddles twiddles(int n) {
    constexpr double two_pi = 6.283185307179586476925286766559;
    Twiddles t;
    for (int k = 0; k < n; ++k) {
        // Turn the angle into the first octant, where the series is short.
        int quarter = 4 * k / n, rest = k - quarter * n / 4;
        bool swap = 8 * rest > n;
        double x = two_pi * (swap ? n / 4 - rest : rest) / n;
        double c = series(x, swap), s = series(x, !swap);
        double re[] = {c, -s, -c, s}, im[] = {-s, -c, s, c};
        t.re[k] = static_cast<float>(re[quarter]);
        t.im[k] = static_cast<float>(im[quarter]);
    }
    return t;
}

// Transforms of 4 and 8 values, in place, in registers.
template <class V>
[[gnu::always_inline]] inline void small(V (&re)[4], V (&im)[4]) {
    V a = re[0] + re[2], b = im[0] + im[2], c = re[0] - re[2], d = im[0] - im[2];
    V e = re[1] + re[3], f = im[1] + im[3], g = re[1] - re[3], h = im[1] - im[3];
    re[0] = a + e, im[0] = b + f;
    re[1] = c + h, im[1] = d - g;
    re[2] = a - e, im[2] = b - f;
    re[3] = c - h, im[3] = d + g;
}

template <class V>
[[gnu::always_inline]] inline void small(V (&re)[8], V (&im)[8]) {
    const V root = V::fill(0.70710678118654752440f);
    V a[] = {re[0], re[2], re[4], re[6]}, b[] = {im[0], im[2], im[4], im[6]};
    V c[] = {re[1], re[3], re[5], re[7]}, d[] = {im[1], im[3], im[5], im[7]};
    small(a, b);
    small(c, d);
    // Odd values turn by 0, 1, 2, 3 eighths of a circle.
    V x[] = {c[0], root * (c[1] + d[1]), d[2], root * (d[3] - c[3])};
    V y[] = {d[0], root * (d[1] - c[1]), V::zero() - c[2], V::zero() - root * (c[3] + d[3])};
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
        re[k] = a[k] + x[k], im[k] = b[k] + y[k];
        re[k + 4] = a[k] - x[k], im[k + 4] = b[k] - y[k];
    }
}

// In place; re[k * stride], im[k * stride]. The inverse, but for a division by n, is the same with
// re and im exchanged.
template <class V, int n>
void transform(V* re, V* im, int stride) {
    constexpr int A = n == 64 ? 8 : 4, B = n / A;
    static constexpr Twiddles t = twiddles(n);
    V real[A][B], imaginary[A][B];
    for (int j = 0; j < B; ++j) {
        V a[A], b[A];
#pragma GCC unroll 8
        for (int i = 0; i < A; ++i) {
            a[i] = re[(j + B * i) * stride];
            b[i] = im[(j + B * i) * stride];
        }
        small(a, b);
#pragma GCC unroll 8
        for (int k = 0; k < A; ++k) {
            V c = V::fill(t.re[j * k]), s = V::fill(t.im[j * k]);
            real[k][j] = k ? a[k] * c - b[k] * s : a[k];
            imaginary[k][j] = k ? fma(a[k], s, b[k] * c) : b[k];
        }
    }
    for (int k = 0; k < A; ++k) {
        small(real[k], imaginary[k]);
#pragma GCC unroll 8
        for (int l = 0; l < B; ++l) {
            re[(k + A * l) * stride] = real[k][l];
            im[(k + A * l) * stride] = imaginary[k][l];
        }
    }
}

}  // namespace darter::fourier
