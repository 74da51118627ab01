"""Measures all steps with the sizes it is given as JSON, and prints a line of JSON for each, then `end`."""

import sys

import msgspec

from bench.steps import deliveries, fanout, intake, streams
from bench.steps.step import END, Sizes, measure


def main() -> None:
    """Measure all steps, in the order of an event's way; what a stream costs once comes last."""
    sizes = msgspec.json.decode(sys.argv[1], type=Sizes)
    for step in (*intake.STEPS, *fanout.STEPS, *deliveries.STEPS, *streams.STEPS):
        print(msgspec.json.encode(measure(step, sizes)).decode(), flush=True)
    print(END, flush=True)


if __name__ == "__main__":
    main()
