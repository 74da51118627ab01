/* Slow readers: each reads by a token bucket of so many bytes a second. epoll knows nothing of them. */
#pragma once

#include <stdint.h>

struct run;
struct client;

struct slow_reader {
    struct client *client;
    int64_t next_ns;   /* when it reads next */
    int64_t filled_ns; /* when its bucket was filled last */
    uint64_t bucket;   /* bytes it may read, times NS_PER_S */
};

/* From now on this client, whose head is in, reads slowly. */
void slow_add(struct run *run, struct client *client);

/* Reads for those whose time has come. */
void slow_run(struct run *run, int64_t now_ns);

/* From now on all of them read as fast as they can. */
void slow_hurry(struct run *run);
