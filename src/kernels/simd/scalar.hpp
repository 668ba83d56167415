// Four float32 lanes in plain C++ (GCC/Clang vector extension): what every CPU has.
#pragma once

namespace darter::scalar {

struct Vector {
    static constexpr int lanes = 4;
    typedef float Lanes __attribute__((vector_size(16), aligned(4)));
    typedef unsigned Bits __attribute__((vector_size(16)));
    Lanes v;

    static Vector zero() { return {Lanes{}}; }
    static Vector load(const float* p) { return {*reinterpret_cast<const Lanes*>(p)}; }
    static Vector fill(float x) { return {Lanes{x, x, x, x}}; }
    void store(float* p) const { *reinterpret_cast<Lanes*>(p) = v; }
};

inline Vector operator+(Vector a, Vector b) { return {a.v + b.v}; }
inline Vector operator-(Vector a, Vector b) { return {a.v - b.v}; }
inline Vector operator*(Vector a, Vector b) { return {a.v * b.v}; }
inline Vector operator/(Vector a, Vector b) { return {a.v / b.v}; }
inline Vector fma(Vector a, Vector b, Vector c) { return {a.v * b.v + c.v}; }  // rounds twice
// NaN in x stays NaN.
inline Vector clamp(Vector x, Vector low, Vector high) {
    x.v = x.v < low.v ? low.v : x.v;
    return {x.v > high.v ? high.v : x.v};
}

// The second operand where one is NaN.
inline Vector maximum_of(Vector a, Vector b) { return {a.v > b.v ? a.v : b.v}; }
inline Vector minimum_of(Vector a, Vector b) { return {a.v < b.v ? a.v : b.v}; }
inline Vector where_negative(Vector x, Vector yes, Vector no) {
    return {x.v < Vector::Lanes{} ? yes.v : no.v};
}
// The low nine bits of each lane become its sign and exponent.
inline Vector bits_shifted_to_exponent(Vector x) {
    Vector::Bits bits = reinterpret_cast<Vector::Bits>(x.v) << 23;
    return {reinterpret_cast<Vector::Lanes>(bits)};
}

// The nearest bfloat16, ties to even; NaN stays NaN.
inline Vector rounded_to_bfloat16(Vector x) {
    Vector::Bits bits = reinterpret_cast<Vector::Bits>(x.v);
    Vector::Bits cut = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    return {x.v == x.v ? reinterpret_cast<Vector::Lanes>(cut) : x.v};
}

}  // namespace darter::scalar
