#include "sse.h"

#include <stddef.h>
#include <string.h>

static bool read_number(const char *at, const char *end, uint64_t *number) {
    while (at < end && *at == ' ')
        at++;
    const char *begin = at;
    uint64_t value = 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    *number = value;
    return at > begin;
}

/* Finds "t":, "n": and "k": in one pass from colon to colon: JSON has fewer of them than of anything else, and memchr
 * leaps over padding. The first of each name counts. */
static void read_members(struct sse *sse, const char *line, const char *end) {
    const char *at = line, *colon;
    while ((sse->has & (SSE_T | SSE_N | SSE_K)) != (SSE_T | SSE_N | SSE_K) &&
           (colon = memchr(at, ':', (size_t)(end - at)))) {
        at = colon + 1;
        if (colon - line < 3 || colon[-1] != '"' || colon[-3] != '"')
            continue;
        char name = colon[-2];
        uint8_t flag = name == 't' ? SSE_T : name == 'n' ? SSE_N : name == 'k' ? SSE_K : 0;
        uint64_t *into = name == 't' ? &sse->t : name == 'n' ? &sse->n : &sse->k;
        if (flag && !(sse->has & flag) && read_number(at, end, into))
            sse->has |= flag;
    }
}

bool sse_next(struct sse *sse, const char **at, const char *end) {
    const char *line = *at, *newline;
    while (line < end && (newline = memchr(line, '\n', (size_t)(end - line)))) {
        const char *line_end = newline > line && newline[-1] == '\r' ? newline - 1 : newline;
        if (line == line_end) {
            *at = newline + 1;
            return true;
        }
        if (line_end - line >= 5 && !memcmp(line, "data:", 5)) {
            sse->has |= SSE_DATA;
            read_members(sse, line + 5, line_end);
        }
        line = newline + 1;
    }
    *at = line;
    return false;
}
