/* The measured window: what came between its beginning and its end, and a series of intervals for plots. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "histogram.h"
#include "options.h"

#define SERIES_INTERVAL_NS (100 * NS_PER_MS)

struct interval {
    uint64_t events;
    uint64_t p99; /* ns */
    uint64_t max; /* ns */
    uint64_t connected;
};

struct window {
    /* The whole window */
    int64_t began_realtime_ns;
    int64_t began_ns;
    int64_t ended_ns;
    const char *ended_by; /* NULL while it is open */
    struct rusage usage_begin;
    struct rusage usage_end;

    /* Counted in it */
    uint64_t events;
    uint64_t bytes;
    uint64_t control;
    uint64_t comments;
    uint64_t negative;
    struct histogram latency[CLASSES];

    /* The series, and the interval that is being filled */
    struct interval *intervals;
    uint32_t interval_count;
    uint32_t interval_capacity;
    int64_t interval_ends_ns;
    struct histogram interval;
};

/* Begins, from nothing. */
void window_begin(struct window *window);

/* Ends it, if it is still open. `reason` stands in the result. */
void window_end(struct window *window, const char *reason, uint64_t connected);

/* Closes the intervals that are over. Costs nothing in between. */
void window_tick(struct window *window, int64_t now_ns, uint64_t connected);

static inline void window_add_event(struct window *window, enum class class, int64_t latency_ns) {
    if (latency_ns < 0) {
        window->negative++;
        latency_ns = 0;
    }
    window->events++;
    histogram_add(&window->latency[class], (uint64_t)latency_ns);
    histogram_add(&window->interval, (uint64_t)latency_ns);
}
