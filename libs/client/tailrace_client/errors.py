"""The client's own errors, all of them kinds of `EdgeRefused`.

EdgeRefused
├── NotFound
├── Unauthorized: the token is missing, expired or no good
├── JobEnded: what was asked of the job comes too late
└── NoWorker: nobody runs the job
"""

from tailrace_protocol.errors import EdgeRefused


class Unauthorized(EdgeRefused):
    """The edge wants a token that is good, and has refused the one it got, also when it was asked for anew."""


class JobEnded(EdgeRefused):
    """The job has ended; there is nothing left to cancel."""


class NoWorker(EdgeRefused):
    """No worker runs the job, so nobody was there to hear."""
