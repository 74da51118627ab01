"""Commands: what an edge asks of the worker that runs a job, and what a producer asks of the edges.

They go over core NATS, and nothing of them is stored. A request goes to one subject, its answer to the reply subject.
That nobody listens is known at once ("no responders").
"""

from enum import StrEnum

import msgspec

COMMANDS_PREFIX = "commands."
"""Before tenant and topic of a job, in the subject that its worker listens on."""

ROLLUPS_PREFIX = "rollups."
"""Before tenant and topic, in the subject that edges listen on, as one queue group."""

EDGES = "edges"
"""The queue group: one edge gets each request."""

ROLLUP_HEADER = "Tailrace-Rollup"
"""With the value `sub`, on an event that takes the place of all earlier ones of its topic.

Not `Nats-Rollup`: who may use that on one subject may empty the whole stream with it.
"""


class CommandKind(StrEnum):
    """What is asked of a worker."""

    CANCEL = "cancel"


class Command(msgspec.Struct, frozen=True):
    """A request to the worker of a job."""

    command: CommandKind


class CommandAnswer(msgspec.Struct, frozen=True):
    """The worker's answer.

    Attributes:
        taken: the job runs here, and has been told.
    """

    taken: bool


class RollUp(msgspec.Struct, frozen=True):
    """A request to remove the events of a topic that a later one has taken the place of.

    Attributes:
        id: of that later event; what is older goes.
    """

    id: str


def format_command_subject(tenant: str, topic: str) -> str:
    """Return the subject on which the worker of a job listens; both were checked before."""
    return f"{COMMANDS_PREFIX}{tenant}.{topic}"


def format_rollup_subject(tenant: str, topic: str) -> str:
    """Return the subject on which to ask the edges for a roll-up; both were checked before."""
    return f"{ROLLUPS_PREFIX}{tenant}.{topic}"
