// The thread pool alone, without Python: `thread_pool_test SCENARIO` ends with 0 where all is right.
// Run by test_thread_pool.py, plainly and under sanitizers.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "runtime/thread_pool.hpp"

namespace {

std::atomic<int> threads_to_be_had{1 << 20};

void expect(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "failed: %s\n", what);
    std::_Exit(1);
}

// Every index exactly once, into memory that is not atomic: a sanitizer sees who shares it.
bool loop_is_right(size_t count) {
    std::vector<size_t> seen(count, 0);
    darter::parallel_for(count, [&](size_t i) { seen[i] += i + 1; });
    for (size_t i = 0; i < count; ++i)
        if (seen[i] != i + 1) return false;
    return true;
}

void any_number_of_threads() {
    for (int threads : {1, 2, 3, 8}) {
        darter::set_threads(threads);
        for (size_t count : {0, 1, 2, 7, 100}) expect(loop_is_right(count), "a loop");
    }
}

void throwing() {
    darter::set_threads(4);
    for (size_t bad : {0, 57, 99}) {
        std::vector<int> ran(100, 0);
        bool caught = false;
        try {
            darter::parallel_for(ran.size(), [&](size_t i) {
                ran[i] = 1;
                if (i == bad) throw std::out_of_range(std::to_string(i));
            });
        } catch (const std::out_of_range& error) {
            caught = error.what() == std::to_string(bad);
        }
        expect(caught, "the exception of the body, with its type and text");
        for (int each : ran) expect(each, "the other indices run");
        expect(loop_is_right(100), "a loop after one that threw");
    }
    bool caught = false;
    try {
        darter::parallel_for(100, [](size_t i) { throw static_cast<int>(i); });
    } catch (int) {
        caught = true;
    }
    expect(caught, "one of many exceptions");
}

void nested() {
    darter::set_threads(3);
    std::vector<int> right(20, 0);
    darter::parallel_for(right.size(), [&](size_t i) { right[i] = loop_is_right(10); });
    for (int each : right) expect(each, "a loop in a loop");
}

void callers(int count, const std::atomic<bool>& stop, std::vector<std::thread>& running) {
    for (int i = 0; i < count; ++i)
        running.emplace_back([&stop] {
            while (!stop) expect(loop_is_right(50), "a loop beside others");
        });
}

void resized_while_others_run() {
    std::atomic<bool> stop{false};
    std::vector<std::thread> running;
    callers(3, stop, running);
    for (int i = 0; i < 60; ++i) {
        darter::set_threads(1 + i % 4);
        expect(darter::threads() >= 1, "threads");
        darter::ThreadLimit limit(2);
        expect(darter::threads() <= 2, "the limit");
        expect(loop_is_right(40), "a loop under a limit");
    }
    stop = true;
    for (auto& each : running) each.join();
}

void forked_while_others_run() {
    std::atomic<bool> stop{false};
    std::vector<std::thread> running;
    darter::set_threads(3);
    callers(3, stop, running);
    for (int i = 0; i < 30; ++i) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            _Exit(loop_is_right(100) && darter::threads() == 3 ? 0 : 1);
        }
        int status = -1;
        expect(waitpid(child, &status, 0) == child && status == 0, "the child's loop");
    }
    stop = true;
    for (auto& each : running) each.join();
}

void fewer_threads_than_wanted() {
    for (int given : {0, 1, 3}) {
        threads_to_be_had = given;
        darter::set_threads(8);
        expect(darter::threads() == 8, "what is wanted");
        for (int i = 0; i < 20; ++i) {
            expect(loop_is_right(100), "a loop on the threads that there are");
            if (i % 10 == 0) usleep(5000);  // they fall asleep
        }
        expect(darter::threads() == given + 1, "what there is");
    }
}

}  // namespace

#ifdef REFUSES_THREADS
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*start)(void*), void* argument) {
    if (threads_to_be_had-- <= 0) return EAGAIN;
    static const auto real =
        reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
    return real(thread, attributes, start, argument);
}
#endif

int main(int, char** arguments) {
    const std::map<std::string, void (*)()> scenarios = {
        {"any_number_of_threads", any_number_of_threads},
        {"throwing", throwing},
        {"nested", nested},
        {"resized_while_others_run", resized_while_others_run},
        {"forked_while_others_run", forked_while_others_run},
        {"fewer_threads_than_wanted", fewer_threads_than_wanted},
    };
    scenarios.at(arguments[1])();
}
