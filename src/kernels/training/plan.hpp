// A training step of a whole net: steps in chains, over one arena.
//
// A chain is a list of steps that go over a batch together, some images at a time, so that what one
// step writes is in the caches when the next reads it. A chain ends where a step needs something of
// the whole batch (the statistics of a normalization).
//
// A chain runs in lanes, each with its own part of the batch; the number of lanes depends on the
// shapes alone, and what lanes sum up apart is added in their order: the same bits on any number of
// threads. A chain of one lane is one whose steps split their work themselves; where all images go
// through it at once, each of its steps is over before the next begins.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/memory.hpp"

namespace darter::training {

// Where a tensor lies.
struct Slot {
    enum Kind {
        none,
        batch,  // in the arena, all images
        group,  // in the scratch memory of a thread, the images that a chain is at
        fixed,  // in the arena, no images: sums and statistics
        given,  // where the caller said: pictures, parameters, their gradients
    };
    Kind kind = none;
    int64_t at = 0;     // floats from the begin of the arena or scratch; or the number of the given
    int64_t image = 0;  // floats of an image
};

struct Context {
    float* arena;
    float* const* given;
    float* scratch;
    uint64_t seed;
    int64_t first, count;  // images
    int64_t lane, lanes;
    bool fresh;            // the first images of the lane

    float* operator[](const Slot& slot) const {
        switch (slot.kind) {
            case Slot::batch: return arena + slot.at + first * slot.image;
            case Slot::group: return scratch + slot.at;
            case Slot::fixed: return arena + slot.at;
            case Slot::given: return given[slot.at] + first * slot.image;
            default: return nullptr;
        }
    }
};

class Step {
public:
    virtual ~Step() = default;
    virtual void begin(const Context&) {}            // before any images
    virtual void images(const Context&) const = 0;   // of one group
    virtual void end(const Context&) const {}        // after all
    // Memory that `begin` fills and nobody reads after `end`, or null: steps of other chains have
    // it, too.
    virtual Buffer* packed() { return nullptr; }
};

struct Chain {
    std::vector<std::shared_ptr<Step>> steps;
    int64_t lanes, group;  // group: images at a time
    int64_t scratch;       // floats
};

// Not for two calls at once: steps keep packed filters. A second caller waits.
class Plan {
public:
    explicit Plan(int64_t images) : images_(images) {}
    void add(Chain chain);
    // Chains [first, last). seconds: of each, or null.
    void run(size_t first, size_t last, float* arena, float* const* given, uint64_t seed,
             double* seconds);
    size_t size() const { return chains_.size(); }

private:
    // A step's part of the memory for packed filters.
    struct Lent {
        Buffer* to;
        size_t first, floats;
    };

    bool whole(const Chain& chain) const { return chain.lanes == 1 && chain.group >= images_; }
    void run_chain(const Chain& chain, Context whole) const;

    const int64_t images_;
    std::vector<Chain> chains_;
    std::vector<Lent> lent_;
    Buffer packed_;           // what the chain at work lends its steps
    size_t packed_most_ = 0;  // floats of it that a chain needs at most
    std::mutex running_;
};

}  // namespace darter::training
