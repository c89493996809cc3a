"""Reading the Bicep files of `deploy/`, as pycep-parser understands them."""

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pycep

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
MAIN = DEPLOY / "main.bicep"
MODULES = sorted((DEPLOY / "modules").glob("*.bicep"))
ENVIRONMENTS = ("production", "staging")


@functools.cache
def parse(path: Path) -> dict[str, Any]:
    return dict(pycep.BicepParser().parse(file_path=path))


def module(name: str) -> dict[str, Any]:
    return parse(DEPLOY / "modules" / f"{name}.bicep")


def parameters(environment: str) -> dict[str, Any]:
    content = json.loads((DEPLOY / f"{environment}.parameters.json").read_text())
    return {name: entry["value"] for name, entry in content["parameters"].items()}


def names(environment: str) -> dict[str, Any]:
    """Return the names of the resources of one environment; the plan's depends on its size."""
    branches = parse(MAIN)["variables"]["names"]["value"]["operator"]["operands"]
    return dict(branches["true_value" if environment == "production" else "false_value"])


def values(node: Any, key: str) -> Iterator[Any]:
    """Yield every value that has this key, anywhere below `node`."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from values(value, key)
    elif isinstance(node, list):
        for item in node:
            yield from values(item, key)


def decorators(entry: dict[str, Any]) -> dict[str, Any]:
    return {item["type"]: item.get("argument") for item in entry["decorators"]}


def without_comments(path: Path) -> str:
    return re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.MULTILINE)
