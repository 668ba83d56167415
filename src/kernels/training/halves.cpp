// Between the float32 of a chain and the bfloat16 that it keeps for other chains.
#include "bfloat16/arrays.hpp"
#include "runtime/thread_pool.hpp"
#include "training/kernels.hpp"
#include "training/steps.hpp"

namespace darter::training {
namespace {

class Widen final : public Step {
public:
    Widen(int64_t numbers, Slot from, Slot to) : numbers_(numbers), from_(from), to_(to) {}

    void images(const Context& c) const override {
        const auto* from = reinterpret_cast<const uint16_t*>(c[from_]);
        float* to = c[to_];
        parallel_for(c.count, [&](size_t image) {
            widen_(from + image * numbers_, to + image * numbers_, numbers_);
        });
    }

private:
    const int64_t numbers_;
    const Slot from_, to_;
    const Bfloat16Arrays* const fast_ = bfloat16_arrays(active_isa());
    decltype(Bfloat16Arrays::widen) const widen_ = fast_ ? fast_->widen : training_kernels().widen;
};

class Shorten final : public Step {
public:
    Shorten(int64_t numbers, Slot from, Slot to) : numbers_(numbers), from_(from), to_(to) {}

    void images(const Context& c) const override {
        const float* from = c[from_];
        auto* to = reinterpret_cast<uint16_t*>(c[to_]);
        parallel_for(c.count, [&](size_t image) {
            round_(from + image * numbers_, to + image * numbers_, numbers_);
        });
    }

private:
    const int64_t numbers_;
    const Slot from_, to_;
    const Bfloat16Arrays* const fast_ = bfloat16_arrays(active_isa());
    decltype(Bfloat16Arrays::round) const round_ = fast_ ? fast_->round : training_kernels().round;
};

}  // namespace

StepPointer widen_step(int64_t numbers, Slot from, Slot to) {
    return std::make_shared<Widen>(numbers, from, to);
}

StepPointer shorten_step(int64_t numbers, Slot from, Slot to) {
    return std::make_shared<Shorten>(numbers, from, to);
}

}  // namespace darter::training
