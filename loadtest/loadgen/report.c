#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "fail.h"
#include "run.h"

static const char *const fault_names[] = {"none", "loss", "duplicate", "order"};

static double to_s(int64_t ns) {
    return (double)ns / (double)NS_PER_S;
}

static double to_ms(uint64_t ns) {
    return (double)ns / (double)NS_PER_MS;
}

static FILE *open_output(const char *path) {
    FILE *file = fopen(path, "w");
    if (!file)
        fail(EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
    return file;
}

static void close_output(FILE *file, const char *path) {
    int broken = ferror(file);
    if (fclose(file) || broken)
        fail(EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
}

static void write_summary(FILE *out, const char *name, const struct histogram *histogram, const char *after) {
    double mean = histogram->count ? to_ms(histogram->sum) / (double)histogram->count : 0;
    fprintf(out, "\"%s\": {\"count\": %" PRIu64, name, histogram->count);
    fprintf(out, ", \"p50\": %.6f", to_ms(histogram_percentile(histogram, 0.5)));
    fprintf(out, ", \"p90\": %.6f", to_ms(histogram_percentile(histogram, 0.9)));
    fprintf(out, ", \"p99\": %.6f", to_ms(histogram_percentile(histogram, 0.99)));
    fprintf(out, ", \"p999\": %.6f", to_ms(histogram_percentile(histogram, 0.999)));
    fprintf(out, ", \"max\": %.6f, \"mean\": %.6f}%s", to_ms(histogram->max), mean, after);
}

static void write_connects(FILE *out, const struct run *run) {
    const struct connects *connects = &run->connects;
    const struct failures *failures = &run->failures;
    double first_s = connects->heads_ok ? to_s(connects->first_head_ns - connects->began_ns) : 0;
    double last_s = connects->heads_ok ? to_s(connects->last_head_ns - connects->began_ns) : 0;
    fprintf(out, "  \"connects\": {\"ok\": %" PRIu64 ", \"failed\": %" PRIu64, run->ok, run->failed);
    fprintf(out, ", \"refused\": %" PRIu64 ", \"reset\": %" PRIu64, failures->refused, failures->reset);
    fprintf(out, ", \"timeout\": %" PRIu64 ", \"other\": %" PRIu64, failures->timeout, failures->other);
    fprintf(out, ", \"pending\": %" PRIu64, run->options.count - run->ok - run->failed);
    fprintf(out, ",\n    \"by_status\": {");
    const char *separator = "";
    for (int status = 0; status < STATUS_MAX; status++) {
        if (run->by_status[status]) {
            fprintf(out, "%s\"%d\": %" PRIu64, separator, status, run->by_status[status]);
            separator = ", ";
        }
    }
    fprintf(out, "},\n    \"first_s\": %.6f, \"last_s\": %.6f", first_s, last_s);
    fprintf(out, ", \"per_s\": %.3f,\n    ", last_s > 0 ? (double)connects->heads_ok / last_s : 0);
    write_summary(out, "wait_ms", &connects->wait, "},\n");
    fprintf(out, "  \"closed_early\": %" PRIu64 ",\n", run->closed_early);
}

static void write_window(FILE *out, const struct window *window) {
    double seconds = to_s(window->ended_ns - window->began_ns);
    static struct histogram all;
    for (int class = 0; class < CLASSES; class++)
        histogram_merge(&all, &window->latency[class]);
    fprintf(out, "  \"window\": {\"began_ns\": %" PRId64 ", \"seconds\": %.6f, \"ended_by\": \"%s\"},\n",
            window->began_realtime_ns, seconds, window->ended_by);
    fprintf(out, "  \"events\": {\"total\": %" PRIu64 ", \"per_s\": %.3f", window->events,
            seconds > 0 ? (double)window->events / seconds : 0);
    fprintf(out, ", \"bytes\": %" PRIu64 ", \"control\": %" PRIu64 ", \"comments\": %" PRIu64 "},\n", window->bytes,
            window->control, window->comments);
    fputs("  \"latency_ms\": {\n    ", out);
    write_summary(out, "all", &all, ",\n    ");
    write_summary(out, "fast", &window->latency[CLASS_FAST], ",\n    ");
    write_summary(out, "slow", &window->latency[CLASS_SLOW], ",\n    ");
    write_summary(out, "live", &window->latency[CLASS_LIVE], "\n  },\n");
}

static void write_faults(FILE *out, const struct run *run) {
    uint64_t losses = 0, duplicates = 0, order = 0, clients = 0;
    for (size_t i = 0; i < run->options.count; i++) {
        const struct sequences *sequences = &run->clients[i].sequences;
        bool faulty = false;
        for (uint32_t slot = 0; slot < sequences->capacity; slot++) {
            const struct sequence *sequence = &sequences->slots[slot];
            losses += sequence->losses;
            duplicates += sequence->duplicates;
            order += sequence->order;
            faulty |= sequence->losses || sequence->duplicates || sequence->order;
        }
        clients += faulty;
    }
    fprintf(out, "  \"faults\": {\"losses\": %" PRIu64 ", \"duplicates\": %" PRIu64 ", \"order\": %" PRIu64, losses,
            duplicates, order);
    fprintf(out, ", \"clients\": %" PRIu64 ", \"negative\": %" PRIu64 ", \"protocol\": %" PRIu64, clients,
            run->window.negative, run->protocol_faults);
    fputs(", \"examples\": [", out);
    for (unsigned i = 0; i < run->example_count; i++) {
        const struct fault_example *example = &run->examples[i];
        fprintf(out, "%s\n    {\"client\": %zu, \"kind\": \"%s\", \"k\": %" PRIu64, i ? "," : "", example->client,
                fault_names[example->kind], example->k);
        fprintf(out, ", \"n\": %" PRIu64 ", \"after\": %" PRId64 "}", example->n, (int64_t)example->after);
    }
    fputs("]},\n", out);
}

static void write_expected(FILE *out, const struct run *run) {
    uint64_t clients = 0, complete = 0;
    for (size_t i = 0; i < run->options.count; i++) {
        clients += run->clients[i].expected > 0;
        complete += run->clients[i].completed_ns > 0;
    }
    fprintf(out, "  \"expected\": {\"clients\": %" PRIu64 ", \"complete\": %" PRIu64 ", \"short\": %" PRIu64, clients,
            complete, clients - complete);
    fprintf(out, ", \"seconds\": %.6f,\n    ", complete ? to_s(run->last_complete_ns - run->connects.began_ns) : 0);
    write_summary(out, "wait_ms", &run->expected_wait, "},\n");
}

struct class_sequences {
    uint64_t clients, streams, contiguous, events, first_min, first_max, last_min, last_max;
};

static bool is_contiguous(const struct sequence *sequence) {
    return !sequence->losses && !sequence->duplicates && !sequence->order &&
           sequence->events == sequence->last - sequence->first + 1;
}

static void add_sequence(struct class_sequences *sums, const struct sequence *sequence) {
    if (!sums->streams || sequence->first < sums->first_min)
        sums->first_min = sequence->first;
    if (!sums->streams || sequence->last < sums->last_min)
        sums->last_min = sequence->last;
    if (sequence->first > sums->first_max)
        sums->first_max = sequence->first;
    if (sequence->last > sums->last_max)
        sums->last_max = sequence->last;
    sums->streams++;
    sums->events += sequence->events;
    sums->contiguous += is_contiguous(sequence);
}

static void write_class_sequences(FILE *out, const struct run *run, enum class class, const char *after) {
    struct class_sequences sums = {0};
    for (size_t i = 0; i < run->options.count; i++) {
        const struct client *client = &run->clients[i];
        if (client->class != class)
            continue;
        sums.clients++;
        for (uint32_t slot = 0; slot < client->sequences.capacity; slot++)
            if (client->sequences.slots[slot].events)
                add_sequence(&sums, &client->sequences.slots[slot]);
    }
    fprintf(out, "    \"%s\": {\"clients\": %" PRIu64 ", \"streams\": %" PRIu64 ", \"contiguous\": %" PRIu64,
            class_names[class], sums.clients, sums.streams, sums.contiguous);
    fprintf(out, ", \"events\": %" PRIu64 ", \"first_min\": %" PRIu64 ", \"first_max\": %" PRIu64, sums.events,
            sums.first_min, sums.first_max);
    fprintf(out, ", \"last_min\": %" PRIu64 ", \"last_max\": %" PRIu64 "}%s\n", sums.last_min, sums.last_max, after);
}

static int64_t microseconds(struct timeval time) {
    return time.tv_sec * INT64_C(1000000) + time.tv_usec;
}

static void write_cpu(FILE *out, const struct window *window) {
    int64_t user = microseconds(window->usage_end.ru_utime) - microseconds(window->usage_begin.ru_utime);
    int64_t system = microseconds(window->usage_end.ru_stime) - microseconds(window->usage_begin.ru_stime);
    fprintf(out, "  \"cpu\": {\"user_s\": %.6f, \"system_s\": %.6f},\n", (double)user / 1e6, (double)system / 1e6);
}

static void write_series(FILE *out, const struct window *window) {
    fprintf(out, "  \"series\": {\"interval_ms\": %" PRId64 ",\n    \"events\": [", SERIES_INTERVAL_NS / NS_PER_MS);
    for (uint32_t i = 0; i < window->interval_count; i++)
        fprintf(out, "%s%" PRIu64, i ? "," : "", window->intervals[i].events);
    fputs("],\n    \"p99_ms\": [", out);
    for (uint32_t i = 0; i < window->interval_count; i++)
        fprintf(out, "%s%.4f", i ? "," : "", to_ms(window->intervals[i].p99));
    fputs("],\n    \"max_ms\": [", out);
    for (uint32_t i = 0; i < window->interval_count; i++)
        fprintf(out, "%s%.4f", i ? "," : "", to_ms(window->intervals[i].max));
    fputs("],\n    \"connected\": [", out);
    for (uint32_t i = 0; i < window->interval_count; i++)
        fprintf(out, "%s%" PRIu64, i ? "," : "", window->intervals[i].connected);
    fputs("]}\n", out);
}

void write_report(const struct run *run) {
    FILE *out = open_output(run->options.out_path);
    fprintf(out, "{\n  \"count\": %zu, \"targets\": \"%s\",\n", run->options.count, run->options.target_text);
    write_connects(out, run);
    write_window(out, &run->window);
    write_faults(out, run);
    write_expected(out, run);
    fputs("  \"sequences\": {\n", out);
    write_class_sequences(out, run, CLASS_FAST, ",");
    write_class_sequences(out, run, CLASS_SLOW, ",");
    write_class_sequences(out, run, CLASS_LIVE, "\n  },");
    write_cpu(out, &run->window);
    write_series(out, &run->window);
    fputs("}\n", out);
    close_output(out, run->options.out_path);
}

void write_sequences(const struct run *run) {
    const char *path = run->options.sequences_path;
    FILE *out = open_output(path);
    fputs("client\tclass\tk\tfirst\tlast\tevents\tlosses\tduplicates\torder\n", out);
    for (size_t i = 0; i < run->options.count; i++) {
        const struct client *client = &run->clients[i];
        for (uint32_t slot = 0; slot < client->sequences.capacity; slot++) {
            const struct sequence *sequence = &client->sequences.slots[slot];
            if (!sequence->events)
                continue;
            fprintf(out, "%zu\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64, i, class_names[client->class],
                    sequence->k, sequence->first, sequence->last, sequence->events);
            fprintf(out, "\t%" PRIu64 "\t%" PRIu32 "\t%" PRIu32 "\n", sequence->losses, sequence->duplicates,
                    sequence->order);
        }
    }
    close_output(out, path);
}
