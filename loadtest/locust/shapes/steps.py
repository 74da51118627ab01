"""Steps: `--step-users` more every `--step-seconds`, `--steps` times. At which step do the latencies rise?"""

from typing import Any

from locust import LoadTestShape, events


@events.init_command_line_parser.add_listener
def _add_options(parser: Any) -> None:
    group = parser.add_argument_group("Steps")
    group.add_argument("--step-users", type=int, default=500, help="Users that each step adds. Default: 500")
    group.add_argument("--step-seconds", type=float, default=60, help="Length of each step. Default: 60")
    group.add_argument("--steps", type=int, default=10, help="How many. Default: 10")


class Steps(LoadTestShape):
    """More and more."""

    def tick(self) -> tuple[int, float] | None:
        """Return users and spawn rate; None at the end."""
        assert self.runner is not None
        options: Any = self.runner.environment.parsed_options
        step = int(self.get_run_time() // options.step_seconds) + 1
        if step > options.steps:
            return None
        # A step is climbed within a fifth of its time.
        return step * options.step_users, max(1.0, options.step_users / (options.step_seconds / 5))
