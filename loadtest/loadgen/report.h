/* The result: one JSON file, and on request one line for each sequence. README.md says what each field means. */
#pragma once

struct run;

void write_report(const struct run *run);
void write_sequences(const struct run *run);
