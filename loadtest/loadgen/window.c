#include "window.h"

#include <string.h>

#include "clock.h"
#include "fail.h"

void window_begin(struct window *window) {
    struct interval *intervals = window->intervals;
    uint32_t capacity = window->interval_capacity;
    memset(window, 0, sizeof *window);
    window->intervals = intervals;
    window->interval_capacity = capacity;
    window->began_realtime_ns = realtime_ns();
    window->began_ns = monotonic_ns();
    window->interval_ends_ns = window->began_ns + SERIES_INTERVAL_NS;
    getrusage(RUSAGE_SELF, &window->usage_begin);
}

static void close_interval(struct window *window, uint64_t connected) {
    if (window->interval_count == window->interval_capacity) {
        window->interval_capacity = window->interval_capacity ? window->interval_capacity * 2 : 1024;
        window->intervals = reallocate(window->intervals, window->interval_capacity, sizeof *window->intervals);
    }
    struct histogram *interval = &window->interval;
    window->intervals[window->interval_count++] = (struct interval){
        .events = interval->count,
        .p99 = interval->count ? histogram_percentile(interval, 0.99) : 0,
        .max = interval->max,
        .connected = connected,
    };
    if (interval->count)
        histogram_clear(interval);
    window->interval_ends_ns += SERIES_INTERVAL_NS;
}

void window_tick(struct window *window, int64_t now_ns, uint64_t connected) {
    while (!window->ended_by && now_ns >= window->interval_ends_ns)
        close_interval(window, connected);
}

void window_end(struct window *window, const char *reason, uint64_t connected) {
    if (window->ended_by)
        return;
    window->ended_ns = monotonic_ns();
    window_tick(window, window->ended_ns, connected);
    /* The last interval is shorter than the others, but its events belong to the series. */
    if (window->interval.count)
        close_interval(window, connected);
    getrusage(RUSAGE_SELF, &window->usage_end);
    window->ended_by = reason;
}
