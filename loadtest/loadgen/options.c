#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"

const char *const class_names[CLASSES] = {"fast", "slow", "live"};

enum name {
    TARGET = 1, REQUEST_FILE, COLUMNS, LAST_EVENT_ID, FIRST, EXPECT, COUNT, CONNECT_RATE, IN_FLIGHT, CONNECT_TIMEOUT,
    LIVE, SLOW, RCVBUF, ALLOW_GAPS, UNTIL_EVENTS, UNTIL_EXPECTED, SECONDS, WARMUP_EVENTS, NAP, CONTROL, SEQUENCES,
    OUT,
};

static const struct option names[] = {
    {"target", required_argument, NULL, TARGET},
    {"request-file", required_argument, NULL, REQUEST_FILE},
    {"columns", required_argument, NULL, COLUMNS},
    {"last-event-id", required_argument, NULL, LAST_EVENT_ID},
    {"first", required_argument, NULL, FIRST},
    {"expect", required_argument, NULL, EXPECT},
    {"count", required_argument, NULL, COUNT},
    {"connect-rate", required_argument, NULL, CONNECT_RATE},
    {"in-flight", required_argument, NULL, IN_FLIGHT},
    {"connect-timeout", required_argument, NULL, CONNECT_TIMEOUT},
    {"live", required_argument, NULL, LIVE},
    {"slow", required_argument, NULL, SLOW},
    {"rcvbuf", required_argument, NULL, RCVBUF},
    {"allow-gaps", no_argument, NULL, ALLOW_GAPS},
    {"until-events", required_argument, NULL, UNTIL_EVENTS},
    {"until-expected", no_argument, NULL, UNTIL_EXPECTED},
    {"seconds", required_argument, NULL, SECONDS},
    {"warmup-events", required_argument, NULL, WARMUP_EVENTS},
    {"nap", required_argument, NULL, NAP},
    {"control", required_argument, NULL, CONTROL},
    {"sequences", required_argument, NULL, SEQUENCES},
    {"out", required_argument, NULL, OUT},
    {0},
};

static uint64_t parse_number(const char *option, const char *text) {
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno || *text < '0' || *text > '9' || *end)
        fail(EXIT_USAGE, "--%s: \"%s\" is not a whole number", option, text);
    return number;
}

static double parse_seconds(const char *option, const char *text) {
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end || !(seconds > 0 && seconds < 1e6))
        fail(EXIT_USAGE, "--%s: \"%s\" is not a number of seconds", option, text);
    return seconds;
}

static struct sockaddr_in parse_target(const char *text) {
    struct sockaddr_in target = {.sin_family = AF_INET};
    char host[64];
    const char *colon = strchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof host)
        fail(EXIT_USAGE, "--target: \"%s\" is not HOST:PORT", text);
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    uint64_t port = parse_number("target", colon + 1);
    if (!inet_aton(host, &target.sin_addr) || port < 1 || port > 65535)
        fail(EXIT_USAGE, "--target: \"%s\" is not an IPv4 address and a port", text);
    target.sin_port = htons((uint16_t)port);
    return target;
}

static void parse_targets(struct options *options, const char *text) {
    char *copy = strdup(text), *rest = copy, *one;
    options->target_text = text;
    while ((one = strsep(&rest, ","))) {
        options->targets = reallocate(options->targets, options->target_count + 1, sizeof *options->targets);
        options->targets[options->target_count++] = parse_target(one);
    }
    free(copy);
}

static void parse_slow(struct options *options, const char *text) {
    char *copy = strdup(text), *colon = strchr(copy, ':');
    if (!colon)
        fail(EXIT_USAGE, "--slow: \"%s\" is not K:BYTES_PER_S", text);
    *colon = '\0';
    options->slow = parse_number("slow", copy);
    options->slow_bytes_per_s = parse_number("slow", colon + 1);
    if (!options->slow_bytes_per_s)
        fail(EXIT_USAGE, "--slow: 0 bytes a second is no reader");
    free(copy);
}

static void check(const struct options *options) {
    if (!options->target_count || !options->request || !options->count || !options->out_path)
        fail(EXIT_USAGE, "--target, --request-file, --count and --out are required (see loadtest/loadgen/README.md)");
    if (options->live + options->slow > options->count)
        fail(EXIT_USAGE, "--live and --slow together are more than --count");
    if (options->live && options->control < 0)
        fail(EXIT_USAGE, "--live needs --control: the others wait for its line `connect`");
    if (options->until_expected && !options->expect)
        fail(EXIT_USAGE, "--until-expected needs --expect");
    if (options->control < 0 && !options->until_events && !options->until_expected && options->seconds <= 0)
        fail(EXIT_USAGE, "without --control it needs an end: --until-events, --until-expected or --seconds");
}

static void take(struct options *options, int name, const char *option, const char *text, const char **files) {
    switch (name) {
    case TARGET: parse_targets(options, text); break;
    case REQUEST_FILE: files[0] = text; break;
    case LAST_EVENT_ID: files[1] = text; break;
    case COLUMNS: options->columns = read_columns(text); break;
    case FIRST: options->first = text; break;
    case EXPECT: options->expect = text; break;
    case COUNT: options->count = parse_number(option, text); break;
    case CONNECT_RATE: options->connect_rate = parse_number(option, text); break;
    case IN_FLIGHT: options->in_flight = parse_number(option, text); break;
    case CONNECT_TIMEOUT: options->connect_timeout_s = parse_seconds(option, text); break;
    case LIVE: options->live = parse_number(option, text); break;
    case SLOW: parse_slow(options, text); break;
    case RCVBUF: options->slow_rcvbuf = (int)parse_number(option, text); break;
    case ALLOW_GAPS: options->allow_gaps = true; break;
    case UNTIL_EVENTS: options->until_events = parse_number(option, text); break;
    case UNTIL_EXPECTED: options->until_expected = true; break;
    case SECONDS: options->seconds = parse_seconds(option, text); break;
    case WARMUP_EVENTS: options->warmup_events = parse_number(option, text); break;
    case NAP: options->nap_us = parse_number(option, text); break;
    case CONTROL: options->control = strcmp(text, "-") ? (int)parse_number(option, text) : STDIN_FILENO; break;
    case SEQUENCES: options->sequences_path = text; break;
    case OUT: options->out_path = text; break;
    default: exit(EXIT_USAGE); /* getopt has said why */
    }
}

struct options parse_options(int argc, char **argv) {
    struct options options = {.control = -1, .in_flight = 256, .connect_timeout_s = 60, .slow_rcvbuf = 4096};
    const char *request[2] = {NULL, NULL}; /* the file, the Last-Event-ID */
    int name, at;
    while ((name = getopt_long(argc, argv, "", names, &at)) != -1)
        take(&options, name, name == '?' ? "" : names[at].name, optarg, request);
    if (optind < argc)
        fail(EXIT_USAGE, "\"%s\" is not an option", argv[optind]);
    if (request[0])
        options.request = make_request(request[0], request[1]);
    check(&options);
    return options;
}

enum class find_class(const struct options *options, size_t index) {
    if (index < options->live)
        return CLASS_LIVE;
    return index >= options->count - options->slow ? CLASS_SLOW : CLASS_FAST;
}
