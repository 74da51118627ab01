"""The worker: a process that packs a folder, and reports through the producer library."""

import asyncio
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tailrace_producer import Job, Producer, Settings
from tailrace_protocol.topics import quote_token

from tailrace_demo.packing import Part, find_parts, pack

TENANT = "demo"
JOB = "pack"
"""The id of the job for the whole; those of the parts are `pack-<part>`."""

FILES = "files."
"""What the topics begin with that tell of each file."""

_THREADS = 2


async def work(nats_url: str, folder: Path) -> None:
    """Pack a folder, and report on the tenant `demo`."""
    async with (
        Producer(nats_url, tenant=TENANT, settings=Settings(name="tailrace-demo")) as producer,
        producer.job(JOB, title=f"Pack {folder.name}", metadata={"folder": str(folder)}) as job,
    ):
        job.step("scan")
        parts = await asyncio.to_thread(find_parts, folder)
        total = sum(len(part.files) for part in parts)
        job.update(total=total)
        job.log(f"{total:,} files in {len(parts)} parts below {folder}")
        totals: Counter[str] = Counter()
        with ThreadPoolExecutor(_THREADS) as pool:
            for part in parts:
                job.step(f"pack {part.name}")
                totals += await _pack_part(producer, job, part, folder, pool)
        job.complete(dict(totals))


async def _pack_part(
    producer: Producer, whole: Job, part: Part, folder: Path, pool: ThreadPoolExecutor
) -> Counter[str]:
    """Return the sums over the part's files: `files`, `failed`, `bytes`, and the bytes packed by method."""
    totals: Counter[str] = Counter()
    topic = f"{FILES}{quote_token(part.name)}"
    async with producer.job(f"{JOB}-{part.name}", title=part.name, total=len(part.files)) as job:
        loop = asyncio.get_running_loop()
        waiting = [(path, loop.run_in_executor(pool, pack, path)) for path in part.files]
        for path, future in waiting:
            name = str(path.relative_to(folder))
            try:
                packed = await future
            except OSError as error:
                whole.warn(f"{name}: {error.strerror}")
                totals["failed"] += 1
                job.update(failed=totals["failed"])
            else:
                totals += Counter({"files": 1, "bytes": packed.bytes, **packed.sizes})
                producer.enqueue(topic, {"path": name, "bytes": packed.bytes, "sha256": packed.sha256}, type="file")
            job.update(advance=1, message=name)
            whole.update(advance=1, message=name)
    whole.log(_describe(part, totals))
    return totals


def _describe(part: Part, totals: Counter[str]) -> str:
    sizes = {name: size for name, size in totals.items() if name not in ("files", "failed", "bytes")}
    if not totals["bytes"]:
        return f"{part.name}: {len(part.files)} files, nothing in them"
    best = min(sizes, key=lambda name: sizes[name])
    left = 100 * sizes[best] / totals["bytes"]
    return f"{part.name}: {totals['files']} files, {totals['bytes'] / 1e3:,.0f} kB to {left:.0f} % ({best})"


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Path(sys.argv[2])))
