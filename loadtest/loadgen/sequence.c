#include "sequence.h"

#include <stdlib.h>
#include <string.h>

#include "fail.h"

static struct sequence *find_slot(struct sequence *slots, uint32_t capacity, uint64_t k) {
    /* Fibonacci hashing: stream numbers are often consecutive. */
    uint32_t slot = (uint32_t)((k * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (capacity - 1);
    while (slots[slot].events && slots[slot].k != k)
        slot = (slot + 1) & (capacity - 1);
    return &slots[slot];
}

static void grow(struct sequences *sequences) {
    /* Most clients watch one stream: the first table is small. */
    uint32_t capacity = sequences->capacity ? sequences->capacity * 2 : 2;
    struct sequence *slots = allocate(capacity, sizeof *slots);
    for (uint32_t i = 0; i < sequences->capacity; i++)
        if (sequences->slots[i].events)
            *find_slot(slots, capacity, sequences->slots[i].k) = sequences->slots[i];
    free(sequences->slots);
    sequences->slots = slots;
    sequences->capacity = capacity;
}

static void insert_hole(struct sequence *sequence, uint32_t at, struct range hole) {
    if (sequence->hole_count == sequence->hole_capacity) {
        sequence->hole_capacity = sequence->hole_capacity ? sequence->hole_capacity * 2 : 4;
        sequence->holes = reallocate(sequence->holes, sequence->hole_capacity, sizeof *sequence->holes);
    }
    struct range *place = sequence->holes + at;
    memmove(place + 1, place, (sequence->hole_count - at) * sizeof *place);
    *place = hole;
    sequence->hole_count++;
}

static void remove_hole(struct sequence *sequence, uint32_t at) {
    struct range *place = sequence->holes + at;
    sequence->hole_count--;
    memmove(place, place + 1, (sequence->hole_count - at) * sizeof *place);
}

/* If n is missing, it is no longer. */
static bool fill_hole(struct sequence *sequence, uint64_t n) {
    uint32_t low = 0, high = sequence->hole_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sequence->holes[middle].to <= n)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == sequence->hole_count || sequence->holes[low].from > n)
        return false;
    struct range hole = sequence->holes[low];
    remove_hole(sequence, low);
    if (n + 1 < hole.to)
        insert_hole(sequence, low, (struct range){n + 1, hole.to});
    if (hole.from < n)
        insert_hole(sequence, low, (struct range){hole.from, n});
    return true;
}

static enum fault take_ahead(struct sequence *sequence, uint64_t n, bool allow_gaps) {
    struct range hole = {sequence->last + 1, n};
    sequence->last = n;
    if (allow_gaps)
        return FAULT_NONE;
    insert_hole(sequence, sequence->hole_count, hole);
    sequence->losses += hole.to - hole.from;
    return FAULT_LOSS;
}

static enum fault take_behind(struct sequence *sequence, uint64_t n, struct sequence_rules rules) {
    bool before_all = n < sequence->first;
    bool was_missing = fill_hole(sequence, n);
    if (was_missing)
        sequence->losses--;
    if (before_all && !rules.has_first && !rules.allow_gaps) {
        /* The beginning was not where it seemed to be: what lies between is missing as well. */
        if (n + 1 < sequence->first) {
            insert_hole(sequence, 0, (struct range){n + 1, sequence->first});
            sequence->losses += sequence->first - n - 1;
        }
    }
    if (before_all)
        sequence->first = n;
    /* With gaps allowed nobody knows what was skipped: whatever is not the newest again counts as late. */
    bool late = was_missing || (before_all && !rules.has_first) || (rules.allow_gaps && n != sequence->last);
    if (late) {
        sequence->order++;
        return FAULT_ORDER;
    }
    sequence->duplicates++;
    return FAULT_DUPLICATE;
}

enum fault sequences_take(struct sequences *sequences, uint64_t k, uint64_t n, struct sequence_rules rules,
                          uint64_t *after) {
    struct sequence *sequence = sequences->capacity ? find_slot(sequences->slots, sequences->capacity, k) : NULL;
    if (!sequence || !sequence->events) {
        if ((sequences->count + 1) * 4 > sequences->capacity * 3) {
            grow(sequences);
            sequence = find_slot(sequences->slots, sequences->capacity, k);
        }
        sequences->count++;
        /* Wraps round where the first is 0, and back with the first comparison. */
        *sequence = (struct sequence){.k = k, .first = n, .last = (rules.has_first ? rules.first : n) - 1};
    }
    sequence->events++;
    if (n == sequence->last + 1) {
        sequence->last = n;
        return FAULT_NONE;
    }
    *after = sequence->last;
    /* As signed, so that the wrapped -1 is below every n. */
    if ((int64_t)n > (int64_t)sequence->last)
        return take_ahead(sequence, n, rules.allow_gaps);
    return take_behind(sequence, n, rules);
}
