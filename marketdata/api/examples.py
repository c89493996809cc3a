"""Examples of the OpenAPI schema: for each operation a request, and the answer of the test data.

`tests/marketdata/test_examples.py` writes the file, and checks that answers still look like that.
"""

import functools
import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("examples.json")


@functools.cache
def read_all() -> dict[str, Any]:
    """Return the examples by operation: `status`, `path` (parameters), `body`, `answers` by media type."""
    examples: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return examples


def add_examples(result: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Add the examples to a schema (a hook of drf-spectacular). Those of a view itself are kept."""
    for methods in result["paths"].values():
        for operation in methods.values():
            example = read_all().get(operation["operationId"])
            if example is not None:
                _add_example(operation, example)
    return result


def _add_example(operation: dict[str, Any], example: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path" and parameter["name"] in example.get("path", {}):
            parameter["example"] = example["path"][parameter["name"]]
    if "body" in example:
        for media in operation["requestBody"]["content"].values():
            if "examples" not in media:
                media["example"] = example["body"]
    content = operation["responses"][example["status"]].get("content", {})
    for name, answer in example.get("answers", {}).items():
        if name in content and "examples" not in content[name]:
            content[name]["example"] = answer
