"""What each step of an event's way through the edge costs, in a process of its own: `python -m bench.steps SIZES`."""
