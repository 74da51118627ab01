"""`python -m tailrace_edge`: one edge, set up by `TAILRACE_*` variables alone."""

import sys

from pydantic import ValidationError
from tailrace_protocol.errors import SetupError

from tailrace_edge.server import run
from tailrace_edge.settings import Settings, describe_mistakes

if __name__ == "__main__":
    try:
        run(Settings())
    except SetupError as error:
        sys.exit(f"tailrace edge: {error}")
    except ValidationError as error:
        sys.exit(f"tailrace edge: {describe_mistakes(error)}")
