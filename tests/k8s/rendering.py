"""The manifests as `kubectl apply -k` would send them, built by a pinned kustomize, and the linter beside it."""

import fcntl
import functools
import os
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"
MODULE = Path(__file__).with_name("tools")
"""Has the go.mod and go.sum that pin both programs."""

BUILD = ROOT / "build"

Manifest = dict[str, Any]


@functools.cache
def find_tool(name: str) -> str:
    """Return the path of a program that the pinned go.mod names; the first call builds all of them."""
    folder = BUILD / "k8s-tools"
    # Another name after each change of the pins, so that an old program is not taken for the new one.
    program = folder / f"{hash_pins():08x}" / name
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "k8s-tools.lock").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        if not program.exists():
            _build_tools(program.parent)
    return str(program)


def _build_tools(folder: Path) -> None:
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        if os.environ.get("CI", "") in ("", "0", "false"):
            pytest.skip("Go is not installed; it builds kustomize and kube-score")
        raise AssertionError("Go is not installed; it builds kustomize and kube-score")
    environment = os.environ | {
        "GOPATH": str(BUILD / "go"),
        "GOCACHE": str(BUILD / "go-cache"),
        "GOBIN": str(folder),
        "GOFLAGS": "-modcacherw -mod=readonly",
    }
    done = subprocess.run(
        [go, "install", "tool"], cwd=MODULE, env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def hash_pins() -> int:
    """Return a number that changes with the pins."""
    return zlib.crc32((MODULE / "go.sum").read_bytes() + (MODULE / "go.mod").read_bytes())


@functools.cache
def render(overlay: str) -> str:
    """Return all manifests of `k8s/overlays/<overlay>` as one text."""
    done = subprocess.run(
        [find_tool("kustomize"), "build", str(K8S / "overlays" / overlay)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def load(overlay: str) -> list[Manifest]:
    """Return the manifests of an overlay."""
    return list(yaml.safe_load_all(render(overlay)))


def find(overlay: str, kind: str, name: str = "") -> Manifest:
    """Return the one manifest of a kind, and of a name where there are several."""
    [found] = [
        manifest
        for manifest in load(overlay)
        if manifest["kind"] == kind and (not name or manifest["metadata"]["name"] == name)
    ]
    return found


def list_containers(overlay: str) -> list[tuple[str, Manifest, Manifest]]:
    """Return owner, pod and container of all that runs."""
    return [
        (manifest["metadata"]["name"], manifest["spec"]["template"]["spec"], container)
        for manifest in load(overlay)
        if manifest["kind"] in ("Deployment", "StatefulSet", "Job")
        for container in manifest["spec"]["template"]["spec"]["containers"]
    ]
