/* loadgen: many SSE clients in one thread. README.md is the manual. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "connector.h"
#include "control.h"
#include "fail.h"
#include "report.h"
#include "run.h"
#include "slow.h"

enum { WAKE_UPS_MAX = 512, SPARE_FILES = 16 };

#define CONTROL_TAG UINT64_MAX

static volatile sig_atomic_t signalled;

static void on_signal(int signal) {
    (void)signal;
    signalled = 1;
}

static void prepare_process(size_t connections) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < connections + SPARE_FILES)
        fail(EXIT_USAGE, "--count %zu: the file limit of %ju is too low", connections, (uintmax_t)files.rlim_cur);
}

static void prepare_clients(struct run *run) {
    const struct options *options = &run->options;
    run->clients = allocate(options->count, sizeof *run->clients);
    run->slow_readers = allocate(options->slow, sizeof *run->slow_readers);
    for (size_t i = 0; i < options->count; i++) {
        struct client *client = &run->clients[i];
        client->fd = -1;
        client->class = (uint8_t)find_class(options, i);
        client->rules.allow_gaps = options->allow_gaps;
        client->rules.has_first = options->first != NULL;
        if (options->first)
            client->rules.first = render_number("--first", options->first, &options->columns, i);
        if (options->expect)
            client_expect(run, client, render_number("--expect", options->expect, &options->columns, i));
    }
}

static void prepare(struct run *run) {
    prepare_process(run->options.count);
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (run->epoll < 0)
        fail(EXIT_FAILED, "epoll_create1: %s", strerror(errno));
    prepare_clients(run);
    run->allowed = run->options.live ? run->options.live : run->options.count;
    run->until_expected = run->options.until_expected;
    run->warming_up = run->options.warmup_events > 0;
    struct epoll_event watched = {.events = EPOLLIN, .data.u64 = CONTROL_TAG};
    if (run->options.control >= 0 && epoll_ctl(run->epoll, EPOLL_CTL_ADD, run->options.control, &watched) < 0)
        fail(EXIT_USAGE, "--control has to be a pipe, a socket or a terminal: %s", strerror(errno));
}

void run_end_window(struct run *run, const char *reason) {
    if (run->window.ended_by)
        return;
    window_end(&run->window, reason, run->open);
    puts("done");
    if (run->options.control < 0)
        run->stopping = true;
}

static bool is_time_over(const struct run *run, int64_t now_ns) {
    if (run->options.seconds <= 0 || !run->all_connected_ns)
        return false;
    int64_t begin = run->all_connected_ns > run->window.began_ns ? run->all_connected_ns : run->window.began_ns;
    return now_ns - begin >= (int64_t)(run->options.seconds * (double)NS_PER_S);
}

static void check_window(struct run *run, int64_t now_ns) {
    const struct options *options = &run->options;
    if (run->warming_up) {
        if (run->window.events < options->warmup_events)
            return;
        run->warming_up = false;
        window_begin(&run->window);
    }
    window_tick(&run->window, now_ns, run->open);
    if (options->until_events && run->window.events >= options->until_events)
        run_end_window(run, "until-events");
    else if (run->until_expected && !run->outstanding)
        run_end_window(run, "until-expected");
    else if (is_time_over(run, now_ns))
        run_end_window(run, "seconds");
    else if (run->all_announced && !run->open)
        run_end_window(run, "all-closed");
}

static bool is_napping(const struct run *run) {
    return run->options.nap_us && run->all_announced;
}

/* How long epoll may sleep, in ms: rates and slow readers want a finer grain. */
static int choose_timeout(const struct run *run, bool more_to_connect) {
    if (more_to_connect || is_napping(run))
        return 0;
    bool connecting = run->started < run->allowed;
    return connecting || run->slow_count ? 1 : 10;
}

static void handle(struct run *run, const struct epoll_event *events, int count) {
    /* Commands first: who says `mark` and then publishes finds these events in the window. */
    for (int i = 0; i < count; i++)
        if (events[i].data.u64 == CONTROL_TAG)
            control_read(run);
    for (int i = 0; i < count && !run->stopping; i++)
        if (events[i].data.u64 != CONTROL_TAG)
            client_wake(run, &run->clients[events[i].data.u64], events[i].events);
}

static void loop(struct run *run) {
    static struct epoll_event events[WAKE_UPS_MAX];
    bool more_to_connect = false;
    while (!run->stopping) {
        int timeout = choose_timeout(run, more_to_connect);
        int count = epoll_wait(run->epoll, events, WAKE_UPS_MAX, timeout);
        if (count < 0 && errno != EINTR)
            fail(EXIT_FAILED, "epoll_wait: %s", strerror(errno));
        if (count < WAKE_UPS_MAX && is_napping(run))
            usleep((useconds_t)run->options.nap_us);
        handle(run, events, count);
        int64_t now = monotonic_ns();
        slow_run(run, now);
        more_to_connect = connector_run(run, now);
        check_window(run, now);
        if (signalled) {
            window_end(&run->window, "signal", run->open);
            run->stopping = true;
        }
    }
}

int main(int argc, char **argv) {
    static struct run run;
    run.options = parse_options(argc, argv);
    prepare(&run);
    window_begin(&run.window);
    loop(&run);
    write_report(&run);
    if (run.options.sequences_path)
        write_sequences(&run);
    return 0;
}
