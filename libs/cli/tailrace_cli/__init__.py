"""The `tailrace` command, and what it is made of: a whole node on one machine, tables of jobs."""
