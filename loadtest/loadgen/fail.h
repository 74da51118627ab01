/* How the program gives up, and memory that is never NULL. */
#pragma once

#include <stddef.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Prints "loadgen: <message>" to standard error and exits with the status. */
_Noreturn void fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Zeroed memory. */
void *allocate(size_t count, size_t size);

/* realloc(3) that fails loudly; what is new is not zeroed. */
void *reallocate(void *memory, size_t count, size_t size);
