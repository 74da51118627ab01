"""Options of all scenarios, beside locust's own."""

import secrets
from typing import Any

from locust import events


@events.init_command_line_parser.add_listener
def _add_options(parser: Any) -> None:
    group = parser.add_argument_group("Tailrace", "The bearer token is taken from TAILRACE_TOKEN.")
    group.add_argument("--tenant", env_var="TAILRACE_TENANT", default="default", help="Whose events")
    group.add_argument(
        "--run-id",
        default=secrets.token_hex(4),
        help="All topics of the run lie below load.<run id>; random by default",
    )
    group.add_argument("--topics", type=int, default=100, help="How many topics are published to. Default: 100")
    group.add_argument("--rate", type=float, default=50, help="Events a second, of each producer. Default: 50")
    group.add_argument("--payload", type=int, default=200, help="Bytes of data of each event, about. Default: 200")
    group.add_argument(
        "--wave-every", type=float, default=30, help="Seconds from one wave of deploy.py to the next. Default: 30"
    )
    group.add_argument(
        "--wave-window", type=float, default=10, help="Seconds over which a wave cuts; 0 is a crash. Default: 10"
    )
    group.add_argument("--audit-every", type=float, default=5, help="Seconds from one check to the next. Default: 5")
    group.add_argument(
        "--settle", type=float, default=60, help="Seconds that clients have to catch up at the end. Default: 60"
    )
