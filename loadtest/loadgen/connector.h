/* Begins connects: at a rate, so many at once, the live ones first. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct run;

/* Lets all connections connect: at once, or those that wait for the live ones. */
void connector_allow_all(struct run *run);

/* Begins what is due, and gives up what has waited too long. True if more could begin at once. */
bool connector_run(struct run *run, int64_t now_ns);
