/* Texts in which each connection finds its own values. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Tab-separated values: connection i has line i modulo their number. */
struct columns {
    char **lines;
    size_t count;
};

/* The whole file, ended by a NUL. Fails if it cannot be read. */
char *read_file(const char *path);

struct columns read_columns(const char *path);

/* Puts the text into `out`, with {i} replaced by `index` and, where there are columns, {a} to {h} by its values.
 * Returns the length without the final NUL. Fails if it does not fit, or a column does not exist. */
size_t render(const char *text, const struct columns *columns, size_t index, char *out, size_t capacity);

/* As render, for a text that has to be a number. `option` is named if it is not. */
uint64_t render_number(const char *option, const char *text, const struct columns *columns, size_t index);

/* The request as HTTP wants it: CRLF ends, an empty last line, and a Last-Event-ID header unless `last_event_id` is NULL. */
char *make_request(const char *path, const char *last_event_id);
