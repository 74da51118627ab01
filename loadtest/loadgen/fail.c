#include "fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void fail(int status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("loadgen: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(status);
}

void *allocate(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        fail(EXIT_FAILED, "no memory for %zu x %zu bytes", count, size);
    return memory;
}

void *reallocate(void *memory, size_t count, size_t size) {
    memory = reallocarray(memory, count ? count : 1, size);
    if (!memory)
        fail(EXIT_FAILED, "no memory for %zu x %zu bytes", count, size);
    return memory;
}
