#include "connector.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "run.h"

/* So many in a row, so that answers are read while a storm begins. */
enum { BATCH = 32 };

void connector_allow_all(struct run *run) {
    memset(&run->connects, 0, sizeof run->connects);
    run->allowed = run->options.count;
}

/* How many may begin now. */
static uint64_t count_due(const struct run *run, size_t begun_before, int64_t now_ns) {
    const struct options *options = &run->options;
    uint64_t due = run->allowed - run->started;
    if (options->in_flight) {
        uint64_t room = options->in_flight > run->in_flight ? options->in_flight - run->in_flight : 0;
        due = room < due ? room : due;
    }
    if (options->connect_rate && run->connects.began_ns) {
        double elapsed_s = (double)(now_ns - run->connects.began_ns) / (double)NS_PER_S;
        double by_now = elapsed_s * (double)options->connect_rate + 1;
        double begun = (double)(run->started - begun_before);
        uint64_t room = by_now > begun ? (uint64_t)(by_now - begun) : 0;
        due = room < due ? room : due;
    }
    return due;
}

static void give_up(struct run *run, int64_t now_ns) {
    int64_t latest = now_ns - (int64_t)(run->options.connect_timeout_s * (double)NS_PER_S);
    for (size_t i = 0; run->in_flight && i < run->started; i++) {
        struct client *client = &run->clients[i];
        bool waits = client->phase == CLIENT_CONNECTING || client->phase == CLIENT_HEAD;
        if (waits && client->connect_began_ns < latest)
            client_time_out(run, client);
    }
}

static void announce(struct run *run, int64_t now_ns) {
    uint64_t answered = run->ok + run->failed;
    if (run->options.live && !run->live_announced && answered >= run->options.live) {
        run->live_announced = true;
        puts("live");
    }
    if (!run->all_announced && answered == run->options.count) {
        run->all_announced = true;
        run->all_connected_ns = now_ns;
        puts("connected");
    }
}

bool connector_run(struct run *run, int64_t now_ns) {
    static int64_t next_check_ns;
    static size_t begun_before; /* the connections before the present connects began */
    if (run->all_announced)
        return false;
    if (run->started < run->allowed && !run->connects.began_ns) {
        begun_before = run->started;
        run->connects.began_ns = now_ns;
    }
    uint64_t due = count_due(run, begun_before, now_ns);
    uint64_t now = due < BATCH ? due : BATCH;
    for (uint64_t i = 0; i < now; i++)
        client_connect(run, &run->clients[run->started++]);
    if (now_ns >= next_check_ns) {
        next_check_ns = now_ns + NS_PER_S / 10;
        give_up(run, now_ns);
    }
    announce(run, now_ns);
    return due > now;
}
