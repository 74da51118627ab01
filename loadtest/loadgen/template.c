#include "template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

char *read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file)
        fail(EXIT_USAGE, "cannot read %s: %s", path, strerror(errno));
    size_t length = 0, capacity = 65536;
    char *text = allocate(capacity, 1);
    size_t got;
    while ((got = fread(text + length, 1, capacity - length - 1, file)) > 0) {
        length += got;
        if (length + 1 == capacity)
            text = reallocate(text, capacity *= 2, 1);
    }
    if (ferror(file))
        fail(EXIT_USAGE, "cannot read %s: %s", path, strerror(errno));
    fclose(file);
    text[length] = '\0';
    return text;
}

struct columns read_columns(const char *path) {
    struct columns columns = {0};
    char *at = read_file(path), *line;
    size_t capacity = 0;
    while ((line = strsep(&at, "\n")) && (*line || at)) {
        if (columns.count == capacity)
            columns.lines = reallocate(columns.lines, capacity = capacity ? capacity * 2 : 1024, sizeof *columns.lines);
        columns.lines[columns.count++] = line;
    }
    if (!columns.count)
        fail(EXIT_USAGE, "%s has no line", path);
    return columns;
}

/* The value of the column, from 0, and its length in `length`. */
static const char *find_column(const struct columns *columns, size_t index, int column, size_t *length) {
    size_t line = index % columns->count;
    const char *value = columns->lines[line];
    for (int skipped = 0; skipped < column; skipped++) {
        value = strchr(value, '\t');
        if (!value)
            fail(EXIT_USAGE, "--columns: line %zu has no column {%c}", line + 1, 'a' + column);
        value++;
    }
    *length = strcspn(value, "\t\r");
    return value;
}

static size_t append(char *out, size_t length, size_t capacity, const char *text, size_t count) {
    if (length + count >= capacity)
        fail(EXIT_USAGE, "a template's text is longer than %zu bytes", capacity - 1);
    memcpy(out + length, text, count);
    return length + count;
}

size_t render(const char *text, const struct columns *columns, size_t index, char *out, size_t capacity) {
    size_t length = 0;
    while (*text) {
        char letter = text[0] == '{' && text[1] && text[2] == '}' ? text[1] : '\0';
        if (letter == 'i') {
            char number[24];
            int digits = snprintf(number, sizeof number, "%zu", index);
            length = append(out, length, capacity, number, (size_t)digits);
            text += 3;
        } else if (letter >= 'a' && letter <= 'h' && columns->count) {
            size_t count;
            const char *value = find_column(columns, index, letter - 'a', &count);
            length = append(out, length, capacity, value, count);
            text += 3;
        } else {
            length = append(out, length, capacity, text, 1);
            text++;
        }
    }
    out[length] = '\0';
    return length;
}

uint64_t render_number(const char *option, const char *text, const struct columns *columns, size_t index) {
    char digits[64], *end;
    render(text, columns, index, digits, sizeof digits);
    errno = 0;
    uint64_t number = strtoull(digits, &end, 10);
    if (errno || *digits < '0' || *digits > '9' || *end)
        fail(EXIT_USAGE, "%s: \"%s\" for connection %zu is not a number", option, digits, index);
    return number;
}

char *make_request(const char *path, const char *last_event_id) {
    char *text = read_file(path), *line, *at = text, *request;
    size_t length;
    FILE *out = open_memstream(&request, &length);
    if (!out)
        fail(EXIT_FAILED, "no memory for the request");
    int lines = 0;
    while ((line = strsep(&at, "\n"))) {
        line[strcspn(line, "\r")] = '\0';
        if (!*line)
            break;
        fprintf(out, "%s\r\n", line);
        if (++lines == 1 && last_event_id)
            fprintf(out, "Last-Event-ID: %s\r\n", last_event_id);
    }
    fputs("\r\n", out);
    fclose(out);
    free(text);
    if (!lines)
        fail(EXIT_USAGE, "%s has no request line", path);
    return request;
}
