#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "run.h"
#include "slow.h"

enum {
    READ_MAX = 256 * 1024,
    LINE_MAX_BYTES = 256 * 1024,
    REQUEST_MAX = 65536,
    SLOW_HEAD_READ = 512,
    /* The kernel looks through all used ports of an address, once half of them are: long before that take the next one. */
    CLIENTS_PER_SOURCE = 10000,
};

/* One buffer for all: what a client could not use yet is put in front of what it reads next. */
static char area[LINE_MAX_BYTES + READ_MAX];
static char *const read_area = area + LINE_MAX_BYTES;

/* ---- Its end ---- */

static void leave(struct run *run, struct client *client) {
    close(client->fd);
    client->fd = -1;
    client->phase = CLIENT_GONE;
    free(client->carry);
    client->carry = NULL;
    client->carry_length = client->carry_capacity = 0;
    if (client->expected && !client->completed_ns)
        run->outstanding--;
}

static void fail_connect(struct run *run, struct client *client, uint64_t *reason) {
    ++*reason;
    run->failed++;
    run->in_flight--;
    leave(run, client);
}

static void fail_by_errno(struct run *run, struct client *client, int error) {
    struct failures *failures = &run->failures;
    fail_connect(run, client,
                 error == ECONNREFUSED                     ? &failures->refused
                 : error == ECONNRESET || error == EPIPE ? &failures->reset
                 : error == ETIMEDOUT                    ? &failures->timeout
                                                         : &failures->other);
}

static void close_early(struct run *run, struct client *client) {
    run->closed_early++;
    run->open--;
    leave(run, client);
}

static void close_unreadable(struct run *run, struct client *client) {
    run->protocol_faults++;
    if (client->phase == CLIENT_STREAMING)
        close_early(run, client);
    else
        fail_connect(run, client, &run->failures.other);
}

void client_time_out(struct run *run, struct client *client) {
    fail_connect(run, client, &run->failures.timeout);
}

static void lose_peer(struct run *run, struct client *client, int error) {
    if (client->phase == CLIENT_STREAMING)
        close_early(run, client);
    else
        fail_by_errno(run, client, error);
}

/* ---- What it gets ---- */

static void complete(struct run *run, struct client *client) {
    int64_t now = monotonic_ns();
    client->completed_ns = now;
    run->last_complete_ns = now;
    run->outstanding--;
    histogram_add(&run->expected_wait, (uint64_t)(now - client->connect_began_ns));
}

void client_expect(struct run *run, struct client *client, uint64_t expected) {
    client->expected = expected;
    client->completed_ns = 0;
    if (!expected || client->phase == CLIENT_GONE)
        return;
    run->outstanding++;
    if (client->events >= expected)
        complete(run, client);
}

static void note_fault(struct run *run, struct client *client, enum fault kind, uint64_t k, uint64_t after) {
    if (run->example_count < EXAMPLES_MAX)
        run->examples[run->example_count++] =
            (struct fault_example){(size_t)(client - run->clients), kind, k, client->sse.n, after};
}

static void take_event(struct run *run, struct client *client, int64_t arrived_realtime_ns) {
    const struct sse *event = &client->sse;
    client->events++;
    if (!run->window.ended_by)
        window_add_event(&run->window, client->class, arrived_realtime_ns - (int64_t)event->t);
    if (event->has & SSE_N) {
        uint64_t after, k = event->has & SSE_K ? event->k : 0;
        enum fault fault = sequences_take(&client->sequences, k, event->n, client->rules, &after);
        if (fault != FAULT_NONE)
            note_fault(run, client, fault, k, after);
    }
    if (client->events == client->expected)
        complete(run, client);
}

static void take_block(struct run *run, struct client *client, int64_t arrived_realtime_ns) {
    uint8_t has = client->sse.has;
    if (has & SSE_T)
        take_event(run, client, arrived_realtime_ns);
    else if (has & SSE_DATA)
        run->window.control += !run->window.ended_by;
    else
        run->window.comments += !run->window.ended_by;
    client->sse.has = 0;
}

/* ---- Bytes ---- */

static void keep(struct client *client, const char *rest, size_t length) {
    if (length > client->carry_capacity) {
        client->carry_capacity = (uint32_t)(length + 255) & ~255u;
        free(client->carry);
        client->carry = allocate(client->carry_capacity, 1);
    }
    if (length)
        memcpy(client->carry, rest, length);
    client->carry_length = (uint32_t)length;
}

/* Puts what was kept in front of the `length` bytes at `data`, which has room there. Returns where it begins. */
static char *prepend_kept(struct client *client, char *data) {
    char *begin = data - client->carry_length;
    if (client->carry_length)
        memcpy(begin, client->carry, client->carry_length);
    client->carry_length = 0;
    return begin;
}

static void take_body(struct run *run, struct client *client, char *data, size_t length, int64_t arrived_realtime_ns) {
    size_t decoded;
    enum http_state state = http_decode(&client->http, data, length, &decoded);
    const char *at = prepend_kept(client, data), *end = data + decoded;
    while (sse_next(&client->sse, &at, end))
        take_block(run, client, arrived_realtime_ns);
    if (state == HTTP_BAD || end - at > LINE_MAX_BYTES)
        close_unreadable(run, client);
    else if (state == HTTP_ENDED)
        close_early(run, client);
    else
        keep(client, at, (size_t)(end - at));
}

static void open_stream(struct run *run, struct client *client) {
    int64_t now = monotonic_ns();
    struct connects *connects = &run->connects;
    client->phase = CLIENT_STREAMING;
    run->in_flight--;
    run->ok++;
    run->open++;
    connects->heads_ok++;
    if (!connects->first_head_ns)
        connects->first_head_ns = now;
    connects->last_head_ns = now;
    histogram_add(&connects->wait, (uint64_t)(now - client->connect_began_ns));
    if (client->class == CLASS_SLOW)
        slow_add(run, client);
}

static void take_head(struct run *run, struct client *client, char *data, size_t length, int64_t arrived_realtime_ns) {
    char *begin = prepend_kept(client, data), *end = data + length;
    size_t used;
    enum http_state state = http_read_head(&client->http, begin, (size_t)(end - begin), &used);
    if (state == HTTP_MORE) {
        keep(client, begin, (size_t)(end - begin));
    } else if (state == HTTP_BAD) {
        close_unreadable(run, client);
    } else {
        run->by_status[client->http.status % STATUS_MAX]++;
        if (client->http.status != 200) {
            uint64_t counted_by_status = 0;
            fail_connect(run, client, &counted_by_status);
            return;
        }
        open_stream(run, client);
        take_body(run, client, begin + used, (size_t)(end - begin) - used, arrived_realtime_ns);
    }
}

size_t client_read(struct run *run, struct client *client, size_t limit) {
    ssize_t length = recv(client->fd, read_area, limit < READ_MAX ? limit : READ_MAX, 0);
    if (length <= 0) {
        if (length == 0 || (errno != EAGAIN && errno != EINTR))
            lose_peer(run, client, length == 0 ? ECONNRESET : errno);
        return 0;
    }
    /* The moment of arrival, for all events of this read. */
    int64_t arrived_realtime_ns = realtime_ns();
    if (!run->window.ended_by)
        run->window.bytes += (uint64_t)length;
    if (client->phase == CLIENT_STREAMING)
        take_body(run, client, read_area, (size_t)length, arrived_realtime_ns);
    else
        take_head(run, client, read_area, (size_t)length, arrived_realtime_ns);
    return (size_t)length;
}

/* ---- The socket ---- */

static bool send_request(struct run *run, struct client *client) {
    static char request[REQUEST_MAX];
    size_t index = (size_t)(client - run->clients);
    size_t length = render(run->options.request, &run->options.columns, index, request, sizeof request);
    ssize_t sent = send(client->fd, request, length, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN))
        return true; /* not connected yet: epoll will say */
    if (sent < 0) {
        fail_by_errno(run, client, errno);
        return false;
    }
    if ((size_t)sent < length)
        fail(EXIT_FAILED, "the kernel takes only %zd of a request's %zu bytes at once", sent, length);
    client->phase = CLIENT_HEAD;
    return true;
}

static void bind_source(const struct run *run, const struct client *client) {
    size_t source = (size_t)(client - run->clients) / CLIENTS_PER_SOURCE;
    if (!source)
        return;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)source)};
    /* The port is chosen when the target is known; else each could be used once on all targets. */
    int yes = 1;
    setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    if (bind(client->fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail(EXIT_FAILED, "cannot bind a source address: %s", strerror(errno));
}

static bool is_loopback(const struct sockaddr_in *target) {
    return ntohl(target->sin_addr.s_addr) >> 24 == 127;
}

void client_watch(struct run *run, struct client *client) {
    struct epoll_event watched = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                  .data.u64 = (uint64_t)(client - run->clients)};
    if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, client->fd, &watched) < 0)
        fail(EXIT_FAILED, "epoll_ctl: %s", strerror(errno));
}

void client_connect(struct run *run, struct client *client) {
    const struct options *options = &run->options;
    const struct sockaddr_in *target = &options->targets[(size_t)(client - run->clients) % options->target_count];
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        fail(EXIT_FAILED, "socket: %s", strerror(errno));
    if (client->class == CLASS_SLOW) /* before the handshake, which agrees on windows */
        setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &options->slow_rcvbuf, sizeof options->slow_rcvbuf);
    if (is_loopback(target))
        bind_source(run, client);
    run->in_flight++;
    client->phase = CLIENT_CONNECTING;
    client->connect_began_ns = monotonic_ns();
    if (connect(client->fd, (const struct sockaddr *)target, sizeof *target) < 0 && errno != EINPROGRESS) {
        fail_by_errno(run, client, errno);
        return;
    }
    /* On loopback the handshake is mostly over by now, which saves a wake-up. */
    if (send_request(run, client))
        client_watch(run, client);
}

void client_wake(struct run *run, struct client *client, uint32_t events) {
    if (client->phase == CLIENT_GONE)
        return;
    if (client->phase == CLIENT_CONNECTING) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &length);
        if (error) {
            fail_by_errno(run, client, error);
            return;
        }
        if (!send_request(run, client) || client->phase == CLIENT_CONNECTING)
            return;
    }
    if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
        return;
    /* A read that was not filled has emptied the socket; but an end that came with it makes no new edge. */
    bool ends = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    for (;;) {
        /* A slow reader gets its head at once, and little more. */
        bool slow = client->class == CLASS_SLOW && !run->hurried;
        size_t limit = slow ? SLOW_HEAD_READ : READ_MAX;
        size_t length = client_read(run, client, limit);
        if (!length || client->phase == CLIENT_GONE || (length < limit && !ends))
            return;
        if (slow && client->phase == CLIENT_STREAMING)
            return;
    }
}
