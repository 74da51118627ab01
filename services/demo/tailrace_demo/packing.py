"""Packing: the demo's work. Every file is hashed, compressed in several ways, unpacked again and compared."""

import bz2
import hashlib
import lzma
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

MAX_PART = 250
"""Files in one part; larger folders make several."""

_SKIPPED = {"site-packages", "dist-packages", "__pycache__"}

Codec = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]

METHODS: dict[str, Codec] = {
    "zlib -6": (lambda data: zlib.compress(data, 6), zlib.decompress),
    "zlib -9": (lambda data: zlib.compress(data, 9), zlib.decompress),
    "bz2 -9": (bz2.compress, bz2.decompress),
    "lzma -1": (lambda data: lzma.compress(data, preset=1), lzma.decompress),
    "lzma -6": (lzma.compress, lzma.decompress),
}
"""How to pack and unpack. All of them release the GIL, so that threads are enough."""


@dataclass(frozen=True, slots=True)
class Part:
    """Files that lie in one folder."""

    name: str
    files: list[Path]


@dataclass(frozen=True, slots=True)
class Packed:
    """What became of a file.

    Attributes:
        bytes: of the file.
        sha256: of its content, in hex.
        sizes: bytes, by method.
    """

    bytes: int
    sha256: str
    sizes: dict[str, int]


def find_parts(folder: Path) -> list[Part]:
    """Return all files below a folder, by the folders in it, sorted.

    Left out are installed packages, caches, and the interpreter's own linker files (`config-...`).
    """
    files: list[tuple[str, Path]] = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _SKIPPED and not name.startswith("config-")]
        relative = Path(place).relative_to(folder)
        top = relative.parts[0] if relative.parts else "modules"
        files += [(top, Path(place, name)) for name in names]
    parts = []
    for name, group in groupby(sorted(files), key=lambda found: found[0]):
        paths = [path for _, path in group]
        pieces = [paths[start : start + MAX_PART] for start in range(0, len(paths), MAX_PART)]
        for number, piece in enumerate(pieces, 1):
            parts.append(Part(name if len(pieces) == 1 else f"{name} {number}/{len(pieces)}", piece))
    return parts


def pack(path: Path) -> Packed:
    """Hash a file, compress it with every method, and check that it comes out again as it was.

    Raises:
        OSError: it cannot be read.
        ValueError: a method gave back something else.
    """
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    sizes = {}
    for name, (compress, decompress) in METHODS.items():
        packed = compress(data)
        if hashlib.sha256(decompress(packed)).hexdigest() != digest:
            raise ValueError(f"{name} does not give {path} back")
        sizes[name] = len(packed)
    return Packed(len(data), digest, sizes)
