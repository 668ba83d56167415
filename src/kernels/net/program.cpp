#include "net/program.hpp"

#include <bit>
#include <chrono>
#include <utility>

namespace darter {

Program::~Program() {
    for (auto& slot : idle_) delete slot.load();
}

void Program::add(std::shared_ptr<const Step> step, std::vector<Place> x, std::vector<Place> y) {
    steps_.push_back({std::move(step), std::move(x), std::move(y)});
}

int64_t Program::add_constant(const float* values, int64_t count) {
    Buffer buffer(ceil_div(count, kBlock) * kBlock);
    std::copy_n(values, count, buffer.data());
    std::fill_n(buffer.data() + count, buffer.size() - count, 0.0f);
    constants_.push_back(std::move(buffer));
    return static_cast<int64_t>(constants_.size()) - 1;
}

Buffer* Program::take_arena() const {
    for (auto& slot : idle_)
        if (Buffer* arena = slot.exchange(nullptr)) return arena;
    return new Buffer(ceil_div(arena_bytes_, sizeof(float)));
}

void Program::give_back(Buffer* arena) const {
    for (auto& slot : idle_) {
        Buffer* empty = nullptr;
        if (slot.compare_exchange_strong(empty, arena)) return;
    }
    delete arena;
}

void Program::poison() const {
    constexpr uint32_t kTwoNaNs = 0x7fc07fc0;  // as bfloat16, and one as float32
    Buffer* arena = take_arena();
    std::fill_n(arena->data(), arena->size(), std::bit_cast<float>(kTwoNaNs));
    give_back(arena);
}

void Program::run(const std::byte* const* inputs, std::byte* const* outputs, int most_threads,
                  double* seconds) const {
    using Clock = std::chrono::steady_clock;
    auto give_back = [this](Buffer* arena) { this->give_back(arena); };
    std::unique_ptr<Buffer, decltype(give_back)> arena(take_arena(), give_back);
    auto bytes = [](float* data) { return reinterpret_cast<std::byte*>(data); };
    auto locate = [&](const Place& place) -> std::byte* {
        switch (place.where) {
            case Place::input: return const_cast<std::byte*>(inputs[place.index]);
            case Place::output: return outputs[place.index];
            case Place::constant: return bytes(constants_[place.index].data());
            default: return bytes(arena->data()) + place.index;
        }
    };
    ThreadLimit limit(most_threads);
    std::vector<const std::byte*> x;
    std::vector<std::byte*> y;
    auto start = Clock::now();
    for (const Placed& placed : steps_) {
        x.clear();
        y.clear();
        for (const Place& place : placed.x) x.push_back(locate(place));
        for (const Place& place : placed.y) y.push_back(locate(place));
        placed.step->run(Reads(x.data()), Writes(y.data()));
        if (seconds) {
            auto now = Clock::now();
            *seconds++ = std::chrono::duration<double>(now - start).count();
            start = now;
        }
    }
}

size_t Program::weight_bytes() const {
    size_t bytes = 0;
    for (const Placed& placed : steps_) bytes += placed.step->weight_bytes();
    return bytes;
}

}  // namespace darter
