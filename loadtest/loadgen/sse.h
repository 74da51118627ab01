/* Server-sent events, as far as a measurement needs them: where blocks end, and the members t, n and k of their data. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { SSE_DATA = 1, SSE_T = 2, SSE_N = 4, SSE_K = 8 };

/* The block that is being read. Lives across reads; all zero before the first. */
struct sse {
    uint8_t has; /* SSE_* */
    uint64_t t;
    uint64_t n;
    uint64_t k;
};

/* Reads whole lines until a block has ended: then true, `sse` describes the block and `*at` is behind it. Else false, and
 * `*at` is the start of the line that is not whole. The caller clears `sse->has` before it goes on after a block. */
bool sse_next(struct sse *sse, const char **at, const char *end);
