#include "training/plan.hpp"

#include <algorithm>
#include <chrono>

#include "runtime/thread_pool.hpp"

namespace darter::training {

constexpr size_t kLine = 16;  // floats of a line of the cache

void Plan::add(Chain chain) {
    size_t first = 0;
    for (const auto& step : chain.steps)
        if (Buffer* own = step->packed()) {
            if (whole(chain)) first = 0;  // its steps follow each other
            lent_.push_back({own, first, own->size()});
            first += (own->size() + kLine - 1) / kLine * kLine;
            packed_most_ = std::max(packed_most_, first);
            *own = {};
        }
    chains_.push_back(std::move(chain));
}

void Plan::run(size_t first, size_t last, float* arena, float* const* given, uint64_t seed,
               double* seconds) {
    std::lock_guard one_at_a_time(running_);
    if (packed_.size() < packed_most_) {
        packed_ = Buffer(packed_most_);
        for (const Lent& each : lent_) *each.to = Buffer(packed_, each.first, each.floats);
    }
    for (size_t i = first; i < std::min(last, chains_.size()); ++i) {
        const auto start = std::chrono::steady_clock::now();
        run_chain(chains_[i], {arena, given, nullptr, seed, 0, images_, 0, chains_[i].lanes, true});
        if (!seconds) continue;
        seconds[i] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
}

void Plan::run_chain(const Chain& chain, Context whole) const {
    if (this->whole(chain)) {
        whole.scratch = scratch(Scratch::lane, chain.scratch);
        for (const auto& step : chain.steps) {
            step->begin(whole);
            step->images(whole);
            step->end(whole);
        }
        return;
    }
    for (const auto& step : chain.steps) step->begin(whole);
    auto run_lane = [&](size_t lane) {
        const ThreadLimit alone(chain.lanes == 1 ? kMostThreads : 1);
        Context part = whole;
        part.lane = static_cast<int64_t>(lane);
        const int64_t first = part.lane * images_ / chain.lanes;
        const int64_t last = (part.lane + 1) * images_ / chain.lanes;
        part.scratch = scratch(Scratch::lane, chain.scratch);
        for (part.first = first; part.first < last; part.first += chain.group) {
            part.count = std::min(chain.group, last - part.first);
            part.fresh = part.first == first;
            for (const auto& step : chain.steps) step->images(part);
        }
    };
    if (chain.lanes == 1)
        run_lane(0);
    else
        parallel_for(chain.lanes, run_lane);
    for (const auto& step : chain.steps) step->end(whole);
}

}  // namespace darter::training
