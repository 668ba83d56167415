// A whole net as a list of steps over one arena.
#pragma once
#include <atomic>
#include <memory>
#include <vector>

#include "net/step.hpp"

namespace darter {

// Where a tensor lies: in the arena, in what the caller gave, or among the constants.
struct Place {
    enum Where { arena, input, output, constant };
    Where where;
    int64_t index;  // bytes from the arena's begin; or the number of the input, output or constant
};

// Immutable once it runs, so any number of threads may run it: each call has an arena of its own.
class Program {
public:
    explicit Program(int64_t arena_bytes) : arena_bytes_(arena_bytes) {}
    ~Program();
    Program(const Program&) = delete;

    void add(std::shared_ptr<const Step> step, std::vector<Place> x, std::vector<Place> y);
    int64_t add_constant(const float* values, int64_t count);  // returns its index

    // most_threads: this call uses no more. seconds: of each step, or null.
    void run(const std::byte* const* inputs, std::byte* const* outputs, int most_threads,
             double* seconds) const;

    // Fills the arena of the next run with what is NaN in every type that has one, so that tests see
    // what is read before it is written.
    void poison() const;

    int64_t arena_bytes() const { return arena_bytes_; }
    size_t steps() const { return steps_.size(); }
    size_t weight_bytes() const;

private:
    struct Placed {
        std::shared_ptr<const Step> step;
        std::vector<Place> x, y;
    };
    Buffer* take_arena() const;
    void give_back(Buffer* arena) const;

    const int64_t arena_bytes_;
    std::vector<Placed> steps_;
    std::vector<Buffer> constants_;
    // Arenas between calls. Lock-free, so that a fork in the middle of a call leaves no lock held.
    mutable std::atomic<Buffer*> idle_[16] = {};
};

}  // namespace darter
