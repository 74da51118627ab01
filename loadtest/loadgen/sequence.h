/* The order check: for each stream number k of one client, which numbers n have come.
 *
 * Exact under any losses, repetitions and reordering, and small while there are none: what is missing is kept as ranges. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault { FAULT_NONE, FAULT_LOSS, FAULT_DUPLICATE, FAULT_ORDER };

struct range {
    uint64_t from, to; /* `to` is not in it */
};

struct sequence {
    uint64_t k;
    uint64_t first; /* lowest n seen */
    uint64_t last;  /* highest n seen */
    uint64_t events;
    uint64_t losses;
    uint32_t duplicates;
    uint32_t order;
    struct range *holes; /* below last, not seen; ascending */
    uint32_t hole_count;
    uint32_t hole_capacity;
};

/* A hash table by k with open addressing; events == 0 marks a free slot. Starts empty, as zeros. */
struct sequences {
    struct sequence *slots;
    uint32_t count;
    uint32_t capacity; /* a power of two */
};

/* What a beginning and a jump ahead mean. */
struct sequence_rules {
    bool has_first;
    bool allow_gaps;
    uint64_t first;
};

/* Takes one event. `after`: the highest n before it, where the result is a fault. */
enum fault sequences_take(struct sequences *sequences, uint64_t k, uint64_t n, struct sequence_rules rules,
                          uint64_t *after);
