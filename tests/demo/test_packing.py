import hashlib
import zlib
from pathlib import Path

import pytest
from tailrace_demo import packing
from tailrace_demo.packing import MAX_PART, METHODS, find_parts, pack


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name * 100)


def test_files_are_found_by_folder(tmp_path: Path) -> None:
    write(
        tmp_path, "z.py", "json/b.py", "json/a/x.py", "site-packages/no.py", "json/__pycache__/no.pyc", "config-3/no.a"
    )

    found = {part.name: [str(path.relative_to(tmp_path)) for path in part.files] for part in find_parts(tmp_path)}

    assert found == {"json": ["json/a/x.py", "json/b.py"], "modules": ["z.py"]}


def test_a_large_folder_makes_several_parts(tmp_path: Path) -> None:
    write(tmp_path, *(f"test/{number}" for number in range(MAX_PART + 1)))

    parts = find_parts(tmp_path)

    assert [(part.name, len(part.files)) for part in parts] == [("test 1/2", MAX_PART), ("test 2/2", 1)]


def test_a_file_is_hashed_and_packed(tmp_path: Path) -> None:
    write(tmp_path, "a")
    data = (tmp_path / "a").read_bytes()

    packed = pack(tmp_path / "a")

    assert (packed.bytes, packed.sha256) == (100, hashlib.sha256(data).hexdigest())
    assert packed.sizes["zlib -6"] == len(zlib.compress(data, 6))
    assert set(packed.sizes) == set(METHODS)


def test_what_does_not_come_out_as_it_was_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a")
    monkeypatch.setattr(packing, "METHODS", {"broken": (bytes.upper, bytes.lower), "none": (bytes, lambda _: b"x")})

    with pytest.raises(ValueError, match="none does not give"):
        pack(tmp_path / "a")
