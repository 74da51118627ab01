/* What the command line asks for. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "template.h"

enum class { CLASS_FAST, CLASS_SLOW, CLASS_LIVE, CLASSES };

extern const char *const class_names[CLASSES];

struct options {
    const char *target_text;
    struct sockaddr_in *targets;
    size_t target_count;
    char *request; /* a template */
    struct columns columns;
    const char *first;  /* a template, or NULL */
    const char *expect; /* a template, or NULL */
    size_t count;
    uint64_t connect_rate; /* a second; 0: no limit */
    uint64_t in_flight;    /* 0: no limit */
    double connect_timeout_s;
    size_t live; /* the first so many connections */
    size_t slow; /* the last so many */
    uint64_t slow_bytes_per_s;
    int slow_rcvbuf;
    bool allow_gaps;
    uint64_t until_events; /* 0: not by events */
    bool until_expected;
    double seconds; /* 0: not by time */
    uint64_t warmup_events;
    uint64_t nap_us; /* 0: sleep in epoll, to be woken */
    int control; /* file descriptor, or -1 */
    const char *sequences_path;
    const char *out_path;
};

/* Fails with EXIT_USAGE and a reason where they make no sense. */
struct options parse_options(int argc, char **argv);

enum class find_class(const struct options *options, size_t index);
