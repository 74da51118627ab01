/* HTTP/1.1 responses: the head, and bodies that are chunked or end with the connection. Fed with pieces of any size. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_HEAD_MAX = 16384 };

enum http_state { HTTP_MORE, HTTP_OK, HTTP_ENDED, HTTP_BAD };

enum chunk_phase { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_DATA_END, CHUNK_LAST };

struct http {
    uint64_t chunk_left; /* bytes of the chunk to come; while its size is read: the size so far */
    int status;
    bool chunked;
    uint8_t chunk_phase;
    uint8_t chunk_digits;
};

/* Reads the head, which `data` has to begin with. HTTP_OK: whole, `used` bytes long. HTTP_MORE: not whole yet. */
enum http_state http_read_head(struct http *http, const char *data, size_t length, size_t *used);

/* Takes chunk sizes out of the body in place; `decoded` bytes stay at `data`. HTTP_OK, HTTP_ENDED or HTTP_BAD. */
enum http_state http_decode(struct http *http, char *data, size_t length, size_t *decoded);
