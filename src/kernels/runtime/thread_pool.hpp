// One pool of threads for all kernels. No OpenMP: PyTorch wheels bring a libgomp of their own,
// and two pools would fight over the cores.
#pragma once
#include <cstddef>
#include <functional>

namespace darter {

constexpr int kMostThreads = 1024;

int threads();                 // threads that parallel_for uses here, the caller included; 1 until set
int pool_threads();            // without the limit of this thread
// Throws std::invalid_argument below 1 and above kMostThreads. Where the system gives fewer, those are used.
void set_threads(int count);
void wake_threads();           // sleeping threads are awake for some microseconds after this

// While it lives, parallel_for uses at most `most` threads when called from this thread.
class ThreadLimit {
public:
    explicit ThreadLimit(int most);
    ~ThreadLimit();
    ThreadLimit(const ThreadLimit&) = delete;

private:
    const int before_;
};

// Calls body(index) once for every index in [0, count), on several threads; returns when all are
// done. The caller takes part. Runs on the caller alone where the pool is busy with another
// caller, or where it is called from inside a body. What a body throws is thrown here, after all
// have ended; of several, one.
void parallel_for(size_t count, const std::function<void(size_t)>& body);

}  // namespace darter
