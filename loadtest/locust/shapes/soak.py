"""Soak: `--soak-users`, for `--soak-hours`, a tenth of which is exchanged every 10 minutes. Does anything grow?"""

from typing import Any

from locust import LoadTestShape, events

PERIOD = 600.0
"""Seconds from one exchange to the next."""

PAUSE = 20.0
"""Seconds in which those that went are missing."""


@events.init_command_line_parser.add_listener
def _add_options(parser: Any) -> None:
    group = parser.add_argument_group("Soak")
    group.add_argument("--soak-users", type=int, default=2000, help="How many. Default: 2000")
    group.add_argument("--soak-hours", type=float, default=8, help="How long. Default: 8")


class Soak(LoadTestShape):
    """As many as ever, and never quite the same."""

    def tick(self) -> tuple[int, float] | None:
        """Return users and spawn rate; None at the end."""
        assert self.runner is not None
        options: Any = self.runner.environment.parsed_options
        at = self.get_run_time()
        if at >= options.soak_hours * 3600:
            return None
        away = options.soak_users // 10 if at >= PERIOD and at % PERIOD < PAUSE else 0
        return options.soak_users - away, max(1.0, options.soak_users / 60)
