/* One connection, from connect to close. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http.h"
#include "options.h"
#include "sequence.h"
#include "sse.h"

struct run;

enum client_phase { CLIENT_IDLE, CLIENT_CONNECTING, CLIENT_HEAD, CLIENT_STREAMING, CLIENT_GONE };

struct client {
    /* The connection */
    int fd;
    uint8_t phase; /* enum client_phase */
    uint8_t class; /* enum class */
    int64_t connect_began_ns;

    /* The response so far */
    struct http http;
    struct sse sse;
    char *carry; /* bytes of a head or a line that is not whole */
    uint32_t carry_length;
    uint32_t carry_capacity;

    /* What it got */
    uint64_t events;
    uint64_t expected; /* 0: nothing in particular */
    struct sequence_rules rules;
    struct sequences sequences;
    int64_t completed_ns; /* 0: has not got what it expects */
};

/* Sets what it expects; it may have it already. */
void client_expect(struct run *run, struct client *client, uint64_t expected);

/* Begins to connect. */
void client_connect(struct run *run, struct client *client);

/* Deals with what epoll says about it. */
void client_wake(struct run *run, struct client *client, uint32_t events);

/* Reads once, at most `limit` bytes. Returns how many came: 0 if none are there, or it is gone. */
size_t client_read(struct run *run, struct client *client, size_t limit);

/* Gives up on one that has no response head yet, since it took too long. */
void client_time_out(struct run *run, struct client *client);

/* Has epoll report it, at the edges. */
void client_watch(struct run *run, struct client *client);
