/* The commands that come in while it runs. */
#pragma once

struct run;

/* Reads and obeys what is there. The end of the input is `stop`. */
void control_read(struct run *run);
