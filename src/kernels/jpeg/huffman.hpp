// Huffman codes of a JPEG: tables that decode most symbols in one look, and the bits they are in.
#pragma once
#include <algorithm>
#include <bit>
#include <cstring>

#include "jpeg/jpeg.hpp"

namespace darter::jpeg {

constexpr int kLook = 11;  // bits looked up at once
constexpr int kEnd = 128;  // more than any position in a block: where the end of a block leads

// What the next kLook bits say: one or two coefficients that a block goes on with. Seen from
// position k, the first one is value() at k + at(), the next one, if it fits, value2() at
// k + at2(), and the block goes on at k + advance(). length() bits in all, length1() for the first
// one alone. length() 0: the first one, or its code, is longer.
// One word, as the compiler does not keep a struct of small fields in a register.
class Entry {
public:
    Entry() = default;
    Entry(int value, int at, int advance, int length)
        : Entry(value, 0, at, kEnd, advance, length, length) {}

    int value() const { return static_cast<int16_t>(word_); }
    int value2() const { return static_cast<int16_t>(word_ >> 16); }
    int at() const { return word_ >> 32 & 255; }
    int at2() const { return word_ >> 40 & 255; }
    int advance() const { return word_ >> 48 & 255; }
    int length() const { return word_ >> 56 & 15; }
    int length1() const { return word_ >> 60; }

    // This one and the next, in one look.
    Entry with(Entry next) const {
        return {value(), next.value(), at(), std::min(advance() + next.at(), kEnd),
                std::min(advance() + next.advance(), kEnd), length() + next.length(), length1()};
    }

private:
    Entry(int value, int value2, int at, int at2, int advance, int length, int length1)
        : word_(static_cast<uint16_t>(value) | uint64_t{static_cast<uint16_t>(value2)} << 16 |
                static_cast<uint64_t>(at) << 32 | static_cast<uint64_t>(at2) << 40 |
                static_cast<uint64_t>(advance) << 48 | static_cast<uint64_t>(length) << 56 |
                static_cast<uint64_t>(length1) << 60) {}

    uint64_t word_ = 0;
};

// A code that makes a coefficient: `run` zeros, then a value of `size` bits.
struct Symbol {
    int run, size;
    int length;  // of the code; 17: there is no such code

    bool ends_block() const { return size == 0 && run == 0; }
    bool in_baseline() const { return length <= 16 && (size > 0 || run == 0 || run == 15); }

    Entry entry(int value, int bits) const {
        return {value, ends_block() ? kEnd : run, ends_block() ? kEnd : run + 1, bits};
    }
};

class Table {
public:
    // False where the counts make no code.
    bool build(const Codes& codes) {
        codes_ = {};  // of none, should it fail
        int code = 0, index = 0;
        for (int length = 1; length <= 16; ++length) {
            offset_[length] = index - code;
            index += codes.counts[length], code += codes.counts[length];
            if (code >= 1 << length) return false;  // no code is all ones
            limit_[length] = static_cast<uint32_t>(code) << (16 - length);
            code <<= 1;
        }
        codes_ = codes;
        fill();
        return true;
    }

    bool is_of(const Codes& codes) const { return codes == codes_; }

    Entry look(uint64_t bits) const { return look_[bits >> (64 - kLook)]; }

    // The symbol at the top of `bits`.
    Symbol symbol(uint64_t bits) const {
        uint32_t top = bits >> 48;
        int length = 1;
        while (length <= 16 && top >= limit_[length]) ++length;
        if (length > 16) return {0, 0, 17};
        int symbol = codes_.symbols[(top >> (16 - length)) + offset_[length]];
        return {symbol >> 4, symbol & 15, length};
    }

    // A value of `size` bits at the top of `bits`.
    static int extend(uint64_t bits, int size) {
        if (size == 0) return 0;
        int value = static_cast<int>(bits >> (64 - size));
        return value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
    }

private:
    void fill() {
        for (uint64_t i = 0; i < look_.size(); ++i) look_[i] = first(i << (64 - kLook));
        const auto singles = look_;
        for (size_t i = 0; i < look_.size(); ++i) {
            Entry& entry = look_[i];
            if (entry.length() == 0 || entry.advance() >= kEnd) continue;
            Entry next = singles[(i << entry.length()) % look_.size()];
            bool fits = next.length() > 0 && entry.length() + next.length() <= kLook;
            if (fits) entry = entry.with(next);
        }
    }

    Entry first(uint64_t bits) const {
        Symbol s = symbol(bits);
        if (s.length + s.size > kLook || !s.in_baseline()) return {};
        return s.entry(extend(bits << s.length, s.size), s.length + s.size);
    }

    std::array<Entry, 1 << kLook> look_;
    Codes codes_;
    std::array<uint32_t, 17> limit_;  // first 16-bit prefix beyond the codes of this length
    std::array<int32_t, 17> offset_;
};

// The entropy-coded bytes up to a marker, without the zeros stuffed behind 0xff; zeros follow.
class Bits {
public:
    // Positions in `buffer`, which holds kSlack zeros behind `end`.
    Bits() = default;
    Bits(const uint8_t* from, const uint8_t* end) : at_(from), end_(end) {}

    static constexpr size_t kSlack = 1024;  // more than the longest block

    uint64_t top() const { return bits_; }

    void skip(int count) {
        bits_ <<= count;
        left_ -= count;
    }

    // At least 56 bits, without a branch: which bits come next is hard to foresee.
    void refill() {
        uint64_t next;
        std::memcpy(&next, at_, 8);
        if constexpr (std::endian::native == std::endian::little) next = __builtin_bswap64(next);
        bits_ |= next >> left_;
        at_ += (63 - left_) >> 3;
        left_ |= 56;
    }

    // Bits that were never used; negative where more were used than there are.
    ptrdiff_t unused() const { return 8 * (end_ - at_) + left_; }

private:
    const uint8_t *at_ = nullptr, *end_ = nullptr;
    uint64_t bits_ = 0;  // below the uppermost `left_` bits are some of those that come next
    int left_ = 0;
};

}  // namespace darter::jpeg
