#include "runtime/thread_pool.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/tiles.hpp"

namespace darter {
namespace {

constexpr int kSpins = 2000;  // about 20 µs: longer than the gap between two layers of a net

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

bool in_virtual_machine() {
#if defined(__x86_64__)
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && c >> 31;
#else
    return false;
#endif
}

// Around a thread's share of a loop: gives back the tiles that it took.
struct TileScope {
    TileScope() = default;
    TileScope(const TileScope&) = delete;
    ~TileScope() {
        if (release_tiles) std::exchange(release_tiles, nullptr)();
    }
};

class ThreadPool {
public:
    // Of fewer threads where the system gives no more (limits of processes or of addresses).
    explicit ThreadPool(int count) : shares_(new Share[count]), beds_(count - 1) {
        workers_.reserve(count - 1);
        try {
            for (int i = 1; i < count; ++i) workers_.emplace_back([this, i] { work(i); });
        } catch (const std::exception&) {  // system_error, or no memory for the thread's state
        }
    }

    ~ThreadPool() {
        stopping_ = true;
        call();
        for (auto& worker : workers_) worker.join();
    }

    int threads() const { return static_cast<int>(workers_.size()) + 1; }

    void run(size_t count, int most_workers, const std::function<void(size_t)>& body) {
        body_ = &body;
        members_ = std::min<size_t>(most_workers + 1, threads());
        for (size_t i = 0; i < members_; ++i) {
            shares_[i].next.store(i * count / members_, std::memory_order_relaxed);
            shares_[i].last = (i + 1) * count / members_;
        }
        inside_.store(0, std::memory_order_release);
        call();
        take_indices(0);
        // Whoever wakes up now is too late: nobody waits for a sleeper.
        inside_.fetch_or(kClosed, std::memory_order_acq_rel);
        while (inside_.load(std::memory_order_acquire) != kClosed) pause();
    }

private:
    // The indices that a member begins with. Neighbouring indices mostly read what the same indices
    // of the loop before wrote: a member that keeps to its share finds that in its own cache.
    struct alignas(64) Share {
        std::atomic<size_t> next{0};
        size_t last = 0;
    };
    static constexpr int kClosed = 1 << 30;

    // Its own share first, then what is left of the others'.
    void take_indices(size_t member) {
        TileScope tiles;
        for (size_t i = 0; i < members_; ++i) {
            Share& share = shares_[(member + i) % members_];
            for (size_t k = share.next.fetch_add(1); k < share.last; k = share.next.fetch_add(1))
                (*body_)(k);
        }
    }

    // Where a worker sleeps.
    struct Bed {
        int cpu = kAwake;
        bool moved = false;  // to some of the CPUs that it is allowed, until it wakes up
        cpu_set_t allowed;
    };
    static constexpr int kAwake = -1;

    // Workers that spin see the new generation; locks and system calls are for those that sleep.
    void call() {
        generation_.fetch_add(1);
        if (sleeping_.load() == 0) return;
        {
            std::lock_guard lock(mutex_);
            if (virtual_) spread_sleepers();
        }
        wake_.notify_all();
    }

    // In a virtual machine a CPU without work looks like one that the host has taken away, so Linux
    // wakes threads on the CPU of the caller, and may take longer than a whole net to move them.
    void spread_sleepers() {
        cpu_set_t taken;
        CPU_ZERO(&taken);
        CPU_SET(sched_getcpu(), &taken);
        for (size_t i = 0; i < workers_.size(); ++i) {
            Bed& bed = beds_[i];
            if (bed.cpu == kAwake || bed.moved) continue;
            pthread_t worker = workers_[i].native_handle();
            if (pthread_getaffinity_np(worker, sizeof bed.allowed, &bed.allowed) != 0) continue;
            cpu_set_t there = without(bed.allowed, taken);
            if (CPU_COUNT(&there) == 0) continue;
            bed.moved = pthread_setaffinity_np(worker, sizeof there, &there) == 0;
            CPU_SET(bed.cpu, &taken);
        }
    }

    static cpu_set_t without(const cpu_set_t& set, const cpu_set_t& less) {
        cpu_set_t common, rest;
        CPU_AND(&common, &set, &less);
        CPU_XOR(&rest, &set, &common);
        return rest;
    }

    void await_call(uint64_t& seen, size_t member) {
        for (int i = 0; i < kSpins && generation_.load(std::memory_order_acquire) == seen; ++i)
            pause();
        if (generation_.load() == seen) sleep(seen, beds_[member - 1]);
        seen = generation_.load();
    }

    void sleep(uint64_t seen, Bed& bed) {
        std::unique_lock lock(mutex_);
        sleeping_.fetch_add(1);
        bed.cpu = sched_getcpu();
        wake_.wait(lock, [&] { return generation_.load() != seen; });
        bed.cpu = kAwake;
        sleeping_.fetch_sub(1);
        if (!std::exchange(bed.moved, false)) return;
        cpu_set_t allowed = bed.allowed;
        lock.unlock();
        pthread_setaffinity_np(pthread_self(), sizeof allowed, &allowed);
    }

    bool join() {
        int now = inside_.load();
        while (!(now & kClosed))
            if (inside_.compare_exchange_weak(now, now + 1)) return true;
        return false;
    }

    void work(size_t member) {
        uint64_t seen = 0;
        for (;;) {
            await_call(seen, member);
            if (stopping_) return;
            if (!join()) continue;
            if (member < members_) take_indices(member);
            inside_.fetch_sub(1, std::memory_order_release);
        }
    }

    std::vector<std::thread> workers_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::atomic<int> sleeping_{0};
    alignas(64) std::atomic<uint64_t> generation_{0};
    // Workers inside the current body; kClosed where none may come in any more.
    alignas(64) std::atomic<int> inside_{kClosed};
    alignas(64) const std::function<void(size_t)>* body_ = nullptr;
    std::unique_ptr<Share[]> shares_;
    std::vector<Bed> beds_;  // of the workers
    const bool virtual_ = in_virtual_machine();
    size_t members_ = 0;  // threads that may take part in the current body, the caller included
    std::atomic<bool> stopping_{false};
};

struct Shared {
    explicit Shared(int count) : threads(count) {}

    // The pool, for who holds `in_use`; null where not one more thread can be had.
    ThreadPool* ready() {
        if (pool) return pool.get();
        try {
            pool = std::make_unique<ThreadPool>(threads);
        } catch (const std::bad_alloc&) {
            return nullptr;
        }
        threads = pool->threads();
        return pool.get();
    }

    std::mutex in_use;  // held by the caller whose work the pool does now
    std::unique_ptr<ThreadPool> pool;
    std::atomic<int> threads;  // wanted; once there is a pool, those that it has
};

// Leaked on purpose: worker threads may still run when static destructors do. Made while the module
// is loaded: a fork in the middle of what is made later would leave the child waiting for it.
Shared* state = [] {
    // The child of a fork has no worker threads: forget the pool, make a new one when needed.
    pthread_atfork(nullptr, nullptr, [] { state = new Shared(state->threads); });
    return new Shared(1);
}();

thread_local bool inside_body = false;
thread_local int most_threads = std::numeric_limits<int>::max();

}  // namespace

constinit thread_local ReleaseTiles release_tiles = nullptr;

int pool_threads() { return state->threads; }
int threads() { return std::min(pool_threads(), most_threads); }

ThreadLimit::ThreadLimit(int most) : before_(most_threads) { most_threads = std::max(1, most); }
ThreadLimit::~ThreadLimit() { most_threads = before_; }

void set_threads(int count) {
    if (count < 1 || count > kMostThreads)
        throw std::invalid_argument("threads: expected a number from 1 to " +
                                    std::to_string(kMostThreads) + ", got " + std::to_string(count));
    std::lock_guard lock(state->in_use);
    state->threads = count;
    state->pool.reset();
}

void wake_threads() {
    // Long enough for every thread to wake up and take an index.
    parallel_for(threads(), [](size_t) {
        auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(200);
        while (std::chrono::steady_clock::now() < end) pause();
    });
}

void parallel_for(size_t count, const std::function<void(size_t)>& body) {
    std::unique_lock lock(state->in_use, std::defer_lock);
    ThreadPool* pool = nullptr;
    if (count >= 2 && !inside_body && threads() > 1 && lock.try_lock()) pool = state->ready();
    if (!pool) {
        std::optional<TileScope> tiles;
        if (!inside_body) tiles.emplace();
        for (size_t i = 0; i < count; ++i) body(i);
        return;
    }
    std::mutex failing;
    std::exception_ptr failure;  // the first one; the other indices still run
    std::function<void(size_t)> guarded = [&](size_t i) {
        inside_body = true;
        try {
            body(i);
        } catch (...) {
            std::lock_guard one(failing);
            if (!failure) failure = std::current_exception();
        }
        inside_body = false;
    };
    pool->run(count, threads() - 1, guarded);
    if (failure) std::rethrow_exception(failure);
}

}  // namespace darter
