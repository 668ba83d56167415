// Rounding as plain loops that the compiler vectorizes: whole numbers, and operations on floats that are
// exact, so that every instruction set gives the same bits. Each source gets functions of its own.
#pragma once
#include <cstring>

#include "rounding/rounding.hpp"

namespace darter {
namespace {

constexpr int kLanes = kRoundingGroup / 4;  // counters of a group; each gives four numbers

// Philox 4x32 with 10 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11).
// numbers: kRoundingGroup of them, word by word.
void draw(Draws draws, uint64_t group, uint32_t* numbers) {
    constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
    constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
    uint32_t word[4][kLanes];
    for (int lane = 0; lane < kLanes; ++lane) {
        const uint64_t counter = group * kLanes + static_cast<uint64_t>(lane);
        word[0][lane] = static_cast<uint32_t>(counter);
        word[1][lane] = static_cast<uint32_t>(counter >> 32);
        word[2][lane] = static_cast<uint32_t>(draws.stream);
        word[3][lane] = static_cast<uint32_t>(draws.stream >> 32);
    }
    uint32_t key0 = static_cast<uint32_t>(draws.seed), key1 = static_cast<uint32_t>(draws.seed >> 32);
    for (int round = 0; round < 10; ++round, key0 += kWeyl0, key1 += kWeyl1)
        for (int lane = 0; lane < kLanes; ++lane) {
            const uint64_t first = kMultiplier0 * word[0][lane];
            const uint64_t second = kMultiplier1 * word[2][lane];
            const uint32_t one = word[1][lane], three = word[3][lane];
            word[0][lane] = static_cast<uint32_t>(second >> 32) ^ one ^ key0;
            word[1][lane] = static_cast<uint32_t>(second);
            word[2][lane] = static_cast<uint32_t>(first >> 32) ^ three ^ key1;
            word[3][lane] = static_cast<uint32_t>(first);
        }
    std::memcpy(numbers, word, sizeof word);
}

// Steps of a format: the numbers are whole multiples of 1 / scale, from low to high multiples.
struct Steps {
    float scale, step, low, high;

    explicit Steps(FixedFormat format)
        : scale(static_cast<float>(int64_t{1} << format.fraction_bits)),
          step(1 / scale),
          low(-static_cast<float>(int64_t{1} << (format.integer_bits + format.fraction_bits - 1))),
          high(-low - 1) {}

    float bounded(float multiples) const {
        const float above = multiples < low ? low : multiples;
        return above > high ? high : above;
    }
};

void nearest(float* numbers, const Steps& steps) {
    for (int i = 0; i < kRoundingGroup; ++i) {
        const float x = numbers[i];
        const float y = steps.bounded(x == x ? x * steps.scale : 0.0f);
        const float cut = static_cast<float>(static_cast<int32_t>(y));
        const float below = cut - (cut > y ? 1.0f : 0.0f);
        const float rounded = steps.bounded(below + (y - below > 0.5f ? 1.0f : 0.0f));
        numbers[i] = x == x ? rounded * steps.step : x;
    }
}

// The size is cut, then raised by one step with the probability of what was cut off. (Of -0.3, -1 with
// probability 0.3 is the paper's rule too; by size, tiny numbers lose nothing.)
void stochastic(float* numbers, const Steps& steps, const uint32_t* drawn) {
    constexpr float kHalfOfAll = 2147483648.0f;  // 2^31
    for (int i = 0; i < kRoundingGroup; ++i) {
        const float x = numbers[i];
        const float y = steps.bounded(x == x ? x * steps.scale : 0.0f);
        const float size = y < 0 ? -y : y;
        const float cut = static_cast<float>(static_cast<int32_t>(size));
        const int32_t threshold = static_cast<int32_t>((size - cut) * kHalfOfAll);
        const float raised = cut + (static_cast<int32_t>(drawn[i] >> 1) < threshold ? 1.0f : 0.0f);
        const float rounded = steps.bounded(y < 0 ? -raised : raised);
        numbers[i] = x == x ? rounded * steps.step : x;
    }
}

void to_bfloat16(float* numbers, const uint32_t* drawn) {
    uint32_t bits[kRoundingGroup];
    std::memcpy(bits, numbers, sizeof bits);
    for (int i = 0; i < kRoundingGroup; ++i) {
        const uint32_t finite = (bits[i] & 0x7f800000) != 0x7f800000 ? 0xffff : 0;
        const uint32_t quiet = (bits[i] & 0x7fffffff) > 0x7f800000 ? 0x00400000 : 0;  // NaN
        bits[i] = ((bits[i] + (drawn[i] & finite)) | quiet) & 0xffff0000;
    }
    std::memcpy(numbers, bits, sizeof bits);
}

// Calls body for each group, copied: `from` and `to` may be the same array, and the last is filled up.
template <typename Body>
void each_group(const float* from, float* to, int64_t count, const Body& body) {
    for (int64_t first = 0; first < count; first += kRoundingGroup) {
        float numbers[kRoundingGroup] = {};
        const int64_t left = count - first, own = left < kRoundingGroup ? left : kRoundingGroup;
        std::memcpy(numbers, from + first, sizeof(float) * static_cast<size_t>(own));
        body(numbers);
        std::memcpy(to + first, numbers, sizeof(float) * static_cast<size_t>(own));
    }
}

void fixed_nearest(const float* from, float* to, int64_t count, FixedFormat format) {
    const Steps steps(format);
    each_group(from, to, count, [&](float* numbers) { nearest(numbers, steps); });
}

void fixed_stochastic(const float* from, float* to, int64_t count, FixedFormat format, Draws draws,
                      uint64_t group) {
    const Steps steps(format);
    uint32_t drawn[kRoundingGroup];
    each_group(from, to, count, [&](float* numbers) {
        draw(draws, group++, drawn);
        stochastic(numbers, steps, drawn);
    });
}

void bfloat16_stochastic(const float* from, float* to, int64_t count, Draws draws, uint64_t group) {
    uint32_t drawn[kRoundingGroup];
    each_group(from, to, count, [&](float* numbers) {
        draw(draws, group++, drawn);
        to_bfloat16(numbers, drawn);
    });
}

constexpr RoundingKernels kKernels{fixed_nearest, fixed_stochastic, bfloat16_stochastic};

}  // namespace
}  // namespace darter
