#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "connector.h"
#include "fail.h"
#include "run.h"
#include "slow.h"

static void expect(struct run *run, const char *text) {
    char *end;
    uint64_t number = strtoull(text, &end, 10);
    if (end == text || *end)
        fail(EXIT_USAGE, "control: \"expect %s\" has no number", text);
    run->outstanding = 0;
    histogram_clear(&run->expected_wait);
    for (size_t i = 0; i < run->options.count; i++)
        client_expect(run, &run->clients[i], number);
    run->until_expected = true;
}

static void obey(struct run *run, const char *line) {
    if (!strcmp(line, "mark")) {
        run->warming_up = false;
        window_begin(&run->window);
        // Whoever publishes must not begin before.
        puts("marked");
        fflush(stdout);
    } else if (!strcmp(line, "connect")) {
        connector_allow_all(run);
    } else if (!strcmp(line, "fast")) {
        slow_hurry(run);
    } else if (!strncmp(line, "expect ", 7)) {
        expect(run, line + 7);
    } else if (!strcmp(line, "stop")) {
        window_end(&run->window, "stop", run->open);
        run->stopping = true;
    } else if (*line) {
        fail(EXIT_USAGE, "control: \"%s\" is none of mark, connect, fast, expect N, stop", line);
    }
}

void control_read(struct run *run) {
    static char buffer[4096];
    static size_t length;
    ssize_t got = read(run->options.control, buffer + length, sizeof buffer - 1 - length);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        obey(run, "stop");
        return;
    }
    length += (size_t)got;
    buffer[length] = '\0';
    char *line = buffer, *newline;
    while (!run->stopping && (newline = strchr(line, '\n'))) {
        *newline = '\0';
        obey(run, line);
        line = newline + 1;
    }
    length -= (size_t)(line - buffer);
    memmove(buffer, line, length);
    if (length == sizeof buffer - 1)
        fail(EXIT_USAGE, "control: a line is longer than %zu bytes", sizeof buffer - 1);
}
