"""The demo in a cluster: serves the page, and packs Python's library again and again, reporting to the broker."""

import asyncio
import os
import sysconfig
from pathlib import Path

from tailrace_demo.page_server import PageServer
from tailrace_demo.worker import work

PAUSE = 5
"""Seconds between two jobs."""


async def main() -> None:
    """Work until the pod is stopped."""
    # On the pod's loopback, which is what `kubectl port-forward` connects to.
    with PageServer(8000) as page:
        page.edge_url = os.environ["DEMO_EDGE_URL"]
        while True:
            await work(os.environ["DEMO_NATS_URL"], Path(sysconfig.get_paths()["stdlib"]))
            await asyncio.sleep(PAUSE)


if __name__ == "__main__":
    asyncio.run(main())
