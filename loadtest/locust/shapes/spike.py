"""Spike: `--base-users`, then `--spike-users` as fast as they can be started, then as before. Do others notice?"""

from typing import Any

from locust import LoadTestShape, events


@events.init_command_line_parser.add_listener
def _add_options(parser: Any) -> None:
    group = parser.add_argument_group("Spike")
    group.add_argument("--base-users", type=int, default=500, help="Before and after. Default: 500")
    group.add_argument("--spike-users", type=int, default=5000, help="During the spike. Default: 5000")
    group.add_argument("--spike-seconds", type=float, default=60, help="Length of each of the three. Default: 60")


class Spike(LoadTestShape):
    """Few, many, few."""

    def tick(self) -> tuple[int, float] | None:
        """Return users and spawn rate; None at the end."""
        assert self.runner is not None
        options: Any = self.runner.environment.parsed_options
        part = int(self.get_run_time() // options.spike_seconds)
        if part > 2:
            return None
        users = options.spike_users if part == 1 else options.base_users
        return users, float(max(options.spike_users, options.base_users))
