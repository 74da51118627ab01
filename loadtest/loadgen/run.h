/* One run: all connections, and what is known about them together. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client.h"
#include "histogram.h"
#include "options.h"
#include "window.h"

enum { EXAMPLES_MAX = 20, STATUS_MAX = 1000 };

struct fault_example {
    size_t client;
    enum fault kind;
    uint64_t k, n, after;
};

/* Connects, since the first or since the command `connect`. */
struct connects {
    int64_t began_ns; /* 0: none yet */
    int64_t first_head_ns;
    int64_t last_head_ns;
    uint64_t heads_ok;
    struct histogram wait;
};

/* Why connects failed without a status. */
struct failures {
    uint64_t refused, reset, timeout, other;
};

struct run {
    struct options options;
    struct client *clients; /* options.count of them */
    int epoll;

    /* Connecting */
    size_t started; /* the clients before this one have begun to connect */
    size_t allowed; /* the clients before this one may */
    bool live_announced;
    bool all_announced;
    struct connects connects;
    int64_t all_connected_ns; /* 0: not yet */

    /* How many connections are what, over all */
    uint64_t in_flight;
    uint64_t open;
    uint64_t ok;
    uint64_t failed;
    uint64_t closed_early;
    uint64_t by_status[STATUS_MAX];
    struct failures failures;

    /* What came */
    struct window window;
    bool warming_up;
    uint64_t protocol_faults;
    struct fault_example examples[EXAMPLES_MAX];
    unsigned example_count;

    /* What is expected */
    bool until_expected;
    uint64_t outstanding; /* connections that expect more and may still get it */
    int64_t last_complete_ns;
    struct histogram expected_wait;

    /* Slow readers that are past their heads */
    struct slow_reader *slow_readers;
    size_t slow_count;
    bool hurried; /* they have been told to read as fast as they can */

    bool stopping; /* write the result and go */
};

/* Ends the window and says `done`; without a control the run ends too. */
void run_end_window(struct run *run, const char *reason);
