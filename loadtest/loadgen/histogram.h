/* Durations in logarithmic buckets, each less than 1 % wide, as in HdrHistogram. */
#pragma once

#include <stdint.h>

/* 128 buckets for each power of two: below 128 ns exact, from there 1/128 wide. */
#define HISTOGRAM_BITS 7
#define HISTOGRAM_BUCKETS ((65 - HISTOGRAM_BITS) << HISTOGRAM_BITS)

struct histogram {
    uint64_t count;
    uint64_t sum; /* ns */
    uint64_t max; /* ns */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

static inline unsigned find_bucket(uint64_t value) {
    if (value < 1u << HISTOGRAM_BITS)
        return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_BITS;
    return (shift << HISTOGRAM_BITS) + (unsigned)(value >> shift);
}

static inline void histogram_add(struct histogram *histogram, uint64_t value) {
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max)
        histogram->max = value;
    histogram->buckets[find_bucket(value)]++;
}

void histogram_clear(struct histogram *histogram);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The value that the share (0 to 1) of all values does not exceed: the upper edge of its bucket, at most the maximum. */
uint64_t histogram_percentile(const struct histogram *histogram, double share);
