#include "slow.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "clock.h"
#include "run.h"

#define PAUSE_NS (100 * NS_PER_MS)

enum { HURRIED_RCVBUF = 128 * 1024 };

void slow_add(struct run *run, struct client *client) {
    if (run->hurried)
        return;
    epoll_ctl(run->epoll, EPOLL_CTL_DEL, client->fd, NULL);
    int64_t now = monotonic_ns();
    /* Spread, so that they do not read all at once. */
    int64_t offset = (int64_t)(run->slow_count % 100) * (PAUSE_NS / 100);
    run->slow_readers[run->slow_count++] = (struct slow_reader){client, now + offset, now, 0};
}

static void fill(struct slow_reader *reader, uint64_t bytes_per_s, int64_t now_ns) {
    int64_t elapsed = now_ns - reader->filled_ns;
    /* At most one second's worth: what was not there to be read is not made up for later. */
    if (elapsed > NS_PER_S)
        elapsed = NS_PER_S;
    reader->bucket += (uint64_t)elapsed * bytes_per_s;
    if (reader->bucket > bytes_per_s * (uint64_t)NS_PER_S)
        reader->bucket = bytes_per_s * (uint64_t)NS_PER_S;
    reader->filled_ns = now_ns;
}

void slow_run(struct run *run, int64_t now_ns) {
    for (size_t i = 0; i < run->slow_count;) {
        struct slow_reader *reader = &run->slow_readers[i];
        if (now_ns >= reader->next_ns) {
            reader->next_ns = now_ns + PAUSE_NS;
            fill(reader, run->options.slow_bytes_per_s, now_ns);
            size_t limit = reader->bucket / (uint64_t)NS_PER_S;
            if (limit)
                reader->bucket -= client_read(run, reader->client, limit) * (uint64_t)NS_PER_S;
            if (reader->client->phase == CLIENT_GONE) {
                *reader = run->slow_readers[--run->slow_count];
                continue;
            }
        }
        i++;
    }
}

void slow_hurry(struct run *run) {
    run->hurried = true;
    for (size_t i = 0; i < run->slow_count; i++) {
        int size = HURRIED_RCVBUF;
        setsockopt(run->slow_readers[i].client->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        client_watch(run, run->slow_readers[i].client);
    }
    run->slow_count = 0;
}
