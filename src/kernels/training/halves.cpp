// Between the float32 of a chain and the bfloat16 that it keeps for other chains.
#include "bfloat16/arrays.hpp"
#include "runtime/thread_pool.hpp"
#include "training/kernels.hpp"
#include "training/steps.hpp"

namespace darter::training {
namespace {

// Numbers of one kind, picture by picture, to those of another.
template <typename From, typename To> class Convert final : public Step {
public:
    using Kernel = void (*)(const From*, To*, int64_t);

    Convert(int64_t numbers, Slot from, Slot to, Kernel kernel)
        : numbers_(numbers), from_(from), to_(to), kernel_(kernel) {}

    void images(const Context& c) const override {
        const auto* from = reinterpret_cast<const From*>(c[from_]);
        auto* to = reinterpret_cast<To*>(c[to_]);
        parallel_for(c.count, [&](size_t image) {
            kernel_(from + image * numbers_, to + image * numbers_, numbers_);
        });
    }

private:
    const int64_t numbers_;
    const Slot from_, to_;
    const Kernel kernel_;
};

}  // namespace

StepPointer widen_step(int64_t numbers, Slot from, Slot to) {
    const auto* fast = bfloat16_arrays(active_isa());
    const auto kernel = fast ? fast->widen : training_kernels().widen;
    return std::make_shared<Convert<uint16_t, float>>(numbers, from, to, kernel);
}

StepPointer shorten_step(int64_t numbers, Slot from, Slot to) {
    const auto* fast = bfloat16_arrays(active_isa());
    const auto kernel = fast ? fast->round : training_kernels().round;
    return std::make_shared<Convert<float, uint16_t>>(numbers, from, to, kernel);
}

}  // namespace darter::training
