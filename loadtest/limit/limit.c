/* limit: what the kernel allows. An SSE server that keeps sockets in an array and sends each event to all of them in a
 * plain loop of send(2), one call for each event and client. README.md is the manual. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 65536, REQUEST_BYTES_MAX = 65536, BACKLOG = 4096, STALL_S = 10, WAKE_UPS_MAX = 256 };

static const char head[] = "HTTP/1.1 200 OK\r\n"
                           "content-type: text/event-stream\r\n"
                           "cache-control: no-cache, no-store, no-transform\r\n"
                           "connection: close\r\n"
                           "\r\n";

/* Clients that get events, in no order. `places` finds a socket's place in it, by file descriptor; -1: not in it. */
static int *clients, *places;
static size_t client_count, files_max;

/* The one publisher, or -1, and its lines that are not sent yet: from line_begin to buffer_end. */
static int publisher = -1;
static char buffer[LINE_BYTES_MAX];
static size_t line_begin, buffer_end;
static uint64_t sequence;

static int epoll, client_listener, publisher_listener;

static _Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("limit: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void watch(int fd) {
    struct epoll_event watched = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &watched) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

static int listen_on(int port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, BACKLOG) < 0)
        fail("cannot listen on port %d: %s", port, strerror(errno));
    watch(listener);
    return listener;
}

/* ---- Clients ---- */

static void drop_client(int fd) {
    int place = places[fd];
    if (place >= 0) {
        int last = clients[--client_count];
        clients[place] = last;
        places[last] = place;
        places[fd] = -1;
    }
    close(fd);
}

/* All of the text, waiting where the client's buffer is full. False if the client is gone or stalls. */
static bool send_all(int fd, const char *text, size_t length) {
    while (length) {
        ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return false;
        text += sent;
        length -= (size_t)sent;
    }
    return true;
}

static void accept_clients(void) {
    int fd;
    while ((fd = accept4(client_listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        int yes = 1;
        struct timeval stall = {.tv_sec = STALL_S};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &stall, sizeof stall);
        places[fd] = -1;
        watch(fd);
    }
}

/* The first bytes from a client are its request, whatever it says; later ones tell nothing, and none is its end. */
static void read_client(int fd) {
    static char request[REQUEST_BYTES_MAX];
    ssize_t length = recv(fd, request, sizeof request, MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0) {
        drop_client(fd);
    } else if (places[fd] < 0) {
        if (!send_all(fd, head, sizeof head - 1)) {
            drop_client(fd);
            return;
        }
        places[fd] = (int)client_count;
        clients[client_count++] = fd;
    }
}

/* ---- Events ---- */

static void send_to_all(const char *event, size_t length) {
    for (size_t i = 0; i < client_count;) {
        if (send_all(clients[i], event, length)) {
            i++;
        } else {
            fprintf(stderr, "limit: dropped a client: %s\n", errno == EAGAIN ? "it stalls" : strerror(errno));
            drop_client(clients[i]); /* the last one takes its place */
        }
    }
}

/* Sends the next whole line as an event. False if there is none. */
static bool send_line(void) {
    static char event[LINE_BYTES_MAX + 64];
    char *line = buffer + line_begin, *newline = memchr(line, '\n', buffer_end - line_begin);
    if (!newline)
        return false;
    int length = snprintf(event, sizeof event, "id: %ju\ndata: %.*s\n\n", (uintmax_t)++sequence, (int)(newline - line),
                          line);
    line_begin = (size_t)(newline + 1 - buffer);
    send_to_all(event, (size_t)length);
    return true;
}

static void accept_publisher(void) {
    int fd = accept4(publisher_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    publisher = fd;
    line_begin = buffer_end = 0;
    watch(fd);
    /* The next one waits in the backlog until this one has gone. */
    epoll_ctl(epoll, EPOLL_CTL_DEL, publisher_listener, NULL);
}

static void read_publisher(void) {
    memmove(buffer, buffer + line_begin, buffer_end - line_begin);
    buffer_end -= line_begin;
    line_begin = 0;
    if (buffer_end == sizeof buffer)
        fail("the publisher sent a line longer than %zu bytes", sizeof buffer);
    ssize_t length = recv(publisher, buffer + buffer_end, sizeof buffer - buffer_end, 0);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0) {
        close(publisher);
        publisher = -1;
        watch(publisher_listener);
    } else {
        buffer_end += (size_t)length;
    }
}

/* ---- The process ---- */

static void prepare(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    files_max = files.rlim_cur;
    clients = calloc(files_max, sizeof *clients);
    places = calloc(files_max, sizeof *places);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!clients || !places || epoll < 0)
        fail("cannot start: %s", strerror(errno));
    signal(SIGPIPE, SIG_IGN);
}

static int parse_port(const char *option, const char *text) {
    char *end;
    long port = strtol(text, &end, 10);
    if (*end || port < 1 || port > 65535)
        fail("--%s: \"%s\" is not a port", option, text);
    return (int)port;
}

static void parse_options(int argc, char **argv, int *port, int *publish_port) {
    static const struct option names[] = {
        {"port", required_argument, NULL, 'p'}, {"publish-port", required_argument, NULL, 'e'}, {0}};
    int name;
    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (name == 'p')
            *port = parse_port("port", optarg);
        else if (name == 'e')
            *publish_port = parse_port("publish-port", optarg);
        else
            exit(2);
    }
    if (!*port || !*publish_port || optind < argc)
        fail("usage: limit --port PORT --publish-port PORT");
}

static void handle(int fd) {
    if (fd == client_listener)
        accept_clients();
    else if (fd == publisher_listener)
        accept_publisher();
    else if (fd != publisher)
        read_client(fd);
    else if (!memchr(buffer + line_begin, '\n', buffer_end - line_begin))
        read_publisher(); /* else: what it sent before is still to be passed on */
}

int main(int argc, char **argv) {
    int port = 0, publish_port = 0;
    parse_options(argc, argv, &port, &publish_port);
    prepare();
    client_listener = listen_on(port);
    publisher_listener = listen_on(publish_port);
    puts("ready");
    fflush(stdout);
    bool more = false; /* lines to send: look for connects and ends between two events, but do not wait for them */
    for (;;) {
        struct epoll_event events[WAKE_UPS_MAX];
        int count = epoll_wait(epoll, events, WAKE_UPS_MAX, more ? 0 : -1);
        for (int i = 0; i < count; i++)
            handle(events[i].data.fd);
        more = send_line();
    }
}
