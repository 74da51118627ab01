"""The pages on Kubernetes, typed as they stand: overlays are built, commands run with a `kubectl` of the tests."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from k8s.rendering import K8S, ROOT, Manifest, find_tool

KUBECTL = '''
"""Keeps Secrets in a file, and hands them out; all else is noted."""
import base64, json, pathlib, sys

store = pathlib.Path(sys.argv[0]).parent / "secrets.json"
secrets = json.loads(store.read_text()) if store.exists() else {}
arguments = [argument for argument in sys.argv[1:] if argument not in ("-n", "tailrace")]
match arguments:
    case ["create", "secret", "generic", name, *literals]:
        pairs = [literal.removeprefix("--from-literal=").partition("=") for literal in literals]
        secrets[name] = {key: value for key, _, value in pairs}
        store.write_text(json.dumps(secrets))
    case ["get", "secret", name, "-o", path]:
        key = path.removeprefix("jsonpath={.data.").removesuffix("}")
        print(base64.b64encode(secrets[name][key].encode()).decode(), end="")
    case ["create", "namespace"]:
        pass
    case _:
        sys.exit(f"kubectl of the tests: {arguments}")
'''


def list_blocks(page: str, language: str, heading: str) -> list[str]:
    """Return the blocks of code below a heading, to the next one of its level."""
    text = (ROOT / "docs" / page).read_text()
    level = heading.partition(" ")[0]
    start = text.index(f"\n{heading}\n")
    end = re.search(rf"^{level} ", text[start + 1 + len(heading) :], re.MULTILINE)
    part = text[start : None if end is None else start + 1 + len(heading) + end.start()]
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
    return [block for written_in, block in blocks if written_in == language]


def merge(overlay: Manifest, more: Manifest) -> Manifest:
    """Return an overlay with more in it; other `resources` take the patches' place along with theirs."""
    if "resources" in more:
        return overlay | more
    added = {name: overlay.get(name, []) + items for name, items in more.items()}
    return overlay | added


def build(folder: Path, overlay: Manifest, **files: str) -> list[Manifest]:
    """Return what `kubectl apply -k k8s/overlays/mine` would send."""
    mine = folder / "k8s/overlays/mine"
    shutil.copytree(K8S, folder / "k8s", dirs_exist_ok=True)
    mine.mkdir(exist_ok=True)
    (mine / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    for name, text in files.items():
        (mine / name.replace("_", ".")).write_text(text)
    done = subprocess.run([find_tool("kustomize"), "build", str(mine)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return list(yaml.safe_load_all(done.stdout))


class Shell:
    """Runs blocks of commands, one after the other."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        kubectl = folder / "kubectl"
        kubectl.write_text(f"#!{sys.executable}\n{KUBECTL}")
        kubectl.chmod(0o755)
        self._path = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])

    def run(self, commands: str) -> str:
        """Return what the commands print."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TAILRACE_")}
        done = subprocess.run(
            ["sh", "-eu", "-c", f"comma=; {commands}"],
            env=environment | {"PATH": self._path}, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def read_secrets(self) -> dict[str, dict[str, str]]:
        """Return all Secrets by name."""
        secrets: dict[str, dict[str, str]] = json.loads((self._folder / "secrets.json").read_text())
        return secrets


def read_settings(manifests: list[Manifest], secrets: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return the variables that the edges' container gets from a kubelet."""
    [edges] = [
        each for each in manifests if each["kind"] == "Deployment" and each["metadata"]["name"] == "tailrace-edge"
    ]
    maps: dict[str, dict[str, str]] = {
        each["metadata"]["name"]: each["data"] for each in manifests if each["kind"] == "ConfigMap"
    }
    [container] = edges["spec"]["template"]["spec"]["containers"]
    found: dict[str, str] = {}
    for all_of in container["envFrom"]:
        found |= _take(maps, all_of["configMapRef"]) or {}
    for variable in container["env"]:
        source = variable.get("valueFrom", {})
        if "secretKeyRef" in source:
            value = _take(secrets, source["secretKeyRef"])
            if value is not None:
                found[variable["name"]] = value
        else:
            found[variable["name"]] = variable.get("value", "a-pod")
    return found


def _take(sources: dict[str, dict[str, str]], reference: dict[str, Any]) -> Any:
    """Return what is referred to; None if it is optional and not there."""
    source = sources.get(reference["name"])
    found = source if source is None or "key" not in reference else source.get(reference["key"])
    assert found is not None or reference.get("optional"), reference
    return found
