/* The two clocks: monotonic for durations, real time because events carry it. Nanoseconds. */
#pragma once

#include <stdint.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

static inline int64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static inline int64_t monotonic_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

static inline int64_t realtime_ns(void) {
    return read_clock(CLOCK_REALTIME);
}
