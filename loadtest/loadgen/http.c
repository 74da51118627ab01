#include "http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Is there a line in the head that says the body is chunked? */
static bool says_chunked(const char *line, const char *end) {
    static const char name[] = "transfer-encoding:";
    while (line < end) {
        const char *line_end = memchr(line, '\n', (size_t)(end - line));
        if (!line_end)
            line_end = end;
        size_t length = (size_t)(line_end - line);
        if (length >= sizeof name - 1 && !strncasecmp(line, name, sizeof name - 1))
            for (const char *at = line + sizeof name - 1; at + 7 <= line_end; at++)
                if (!strncasecmp(at, "chunked", 7))
                    return true;
        line = line_end + 1;
    }
    return false;
}

static bool read_status(struct http *http, const char *data, size_t length) {
    if (length < 12 || memcmp(data, "HTTP/1.", 7) != 0 || data[8] != ' ')
        return false;
    http->status = 0;
    for (int i = 9; i < 12; i++) {
        if (data[i] < '0' || data[i] > '9')
            return false;
        http->status = http->status * 10 + data[i] - '0';
    }
    return true;
}

enum http_state http_read_head(struct http *http, const char *data, size_t length, size_t *used) {
    size_t begin = 0;
    for (;;) {
        const char *head = data + begin;
        const char *end = memmem(head, length - begin, "\r\n\r\n", 4);
        if (!end)
            return length - begin > HTTP_HEAD_MAX ? HTTP_BAD : HTTP_MORE;
        if (!read_status(http, head, (size_t)(end - head)))
            return HTTP_BAD;
        begin = (size_t)(end + 4 - data);
        /* 100 Continue and 103 Early Hints come before the real head. */
        if (http->status >= 200) {
            http->chunked = says_chunked(head, end);
            *used = begin;
            return HTTP_OK;
        }
    }
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of a size line; false if it cannot stand there. */
static bool read_size(struct http *http, char c) {
    int digit = http->chunk_phase == CHUNK_SIZE ? hex_digit(c) : -1;
    if (digit >= 0) {
        http->chunk_left = http->chunk_left << 4 | (unsigned)digit;
        return ++http->chunk_digits <= 15;
    }
    if (!http->chunk_digits)
        return false;
    if (c != '\n') {
        /* Extensions and the CR. */
        bool legal = http->chunk_phase == CHUNK_EXTENSION || c == '\r' || c == ';' || c == ' ' || c == '\t';
        http->chunk_phase = CHUNK_EXTENSION;
        return legal;
    }
    http->chunk_phase = http->chunk_left ? CHUNK_DATA : CHUNK_LAST;
    http->chunk_digits = 0;
    return true;
}

enum http_state http_decode(struct http *http, char *data, size_t length, size_t *decoded) {
    *decoded = 0;
    if (!http->chunked) {
        *decoded = length;
        return HTTP_OK;
    }
    char *at = data, *end = data + length, *out = data;
    while (at < end && http->chunk_phase != CHUNK_LAST) {
        if (http->chunk_phase == CHUNK_DATA) {
            size_t count = (size_t)(end - at);
            if (count > http->chunk_left)
                count = (size_t)http->chunk_left;
            memmove(out, at, count);
            at += count;
            out += count;
            http->chunk_left -= count;
            if (!http->chunk_left)
                http->chunk_phase = CHUNK_DATA_END;
        } else if (http->chunk_phase == CHUNK_DATA_END) {
            char c = *at++;
            if (c == '\n')
                http->chunk_phase = CHUNK_SIZE;
            else if (c != '\r')
                return HTTP_BAD;
        } else if (!read_size(http, *at++)) {
            return HTTP_BAD;
        }
    }
    *decoded = (size_t)(out - data);
    /* Trailers tell a watcher nothing: the last chunk is the end. */
    return http->chunk_phase == CHUNK_LAST ? HTTP_ENDED : HTTP_OK;
}
