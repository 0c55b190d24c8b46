// Sharing work among the threads of torch's own OpenMP runtime, whose entry the caller passes in.
//
// It is called by address: linking a runtime could bring a second one into the process, and two fight over the cores.
#pragma once
#include <atomic>
#include <cstdint>

namespace salu_zoo {

// GOMP_parallel, which every OpenMP runtime for C exports: runs the function on this many threads and waits for them.
using Team = void (*)(void (*)(void*), void*, unsigned, unsigned);

struct Threads {
    int64_t count;
    Team team;
};

// Calls body(begin, end) until all of [0, total) is done. What it computes must not depend on how that is cut.
template <class Body>
void share(int64_t total, Threads threads, const Body& body) {
    if (threads.team == nullptr || threads.count < 2 || total < 2) {
        if (total > 0) body(int64_t{0}, total);
        return;
    }
    // More pieces than threads, for one may be busy with something else; whoever is free takes the next.
    struct Work {
        const Body& body;
        int64_t total, pieces;
        std::atomic<int64_t> next;
    };
    const int64_t wanted = 4 * threads.count;
    Work work{body, total, wanted < total ? wanted : total, {0}};
    const auto run = [](void* raw) {
        Work& w = *static_cast<Work*>(raw);
        for (int64_t i; (i = w.next.fetch_add(1, std::memory_order_relaxed)) < w.pieces;) {
            w.body(w.total * i / w.pieces, w.total * (i + 1) / w.pieces);
        }
    };
    threads.team(run, &work, static_cast<unsigned>(threads.count), 0);
}

}  // namespace salu_zoo
