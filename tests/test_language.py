"""Public texts are plain English: the riddles that once stood in them do not come back.

Looked at: the OpenAPI document (names and descriptions), the help of commands, pages and documentation, and
in the code names of variables, parameters and fields, and the beginnings of docstrings.
"""

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class

from tests.test_repository import ROOT, tracked

APPS = (
    "accounts",
    "audit",
    "curation",
    "databases",
    "esma_files",
    "instruments",
    "lake",
    "marketdata",
    "monitoring",
)
# Phrases that a newcomer has to decode, each with what to write instead.
RIDDLES = {
    r"cannot be what it says": "invalid",
    r"what became of": "counts by outcome",
    r"not said": "not published",
    r"speaks? for (it|an instrument|the instrument)": "reference listing",
    r"laid out anew": "rebuilt",
    r"outcome open": "unresolved",
    r"\bsaid (of|to be|what|nothing)\b": "published, described",
    r"nobody knows": "unknown",
    r"is told (so|what)": "gets an error",
}
_RIDDLE = re.compile("|".join(RIDDLES), re.IGNORECASE)
_QUESTION_WORD = re.compile(r"(What|Which|Whether|Who|Why|How)\b")
_RIDDLE_NAMES = {"said", "told"}
# Names that tell nothing about a value; not in the code of the service.
_EMPTY_NAMES = {*_RIDDLE_NAMES, "found", "one", "these"}


def riddles(text: str) -> list[str]:
    """Return the phrases of a text that are riddles, each with what to write instead."""
    return [
        f"{match[0]!r}: write {instead!r}"
        for phrase, instead in RIDDLES.items()
        if (match := re.search(phrase, text, re.IGNORECASE))
    ]


def texts_of(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every name and text below a node of the OpenAPI document, with its path."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield f"{path}/{name}", str(name)
            yield from texts_of(value, f"{path}/{name}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from texts_of(value, f"{path}/{number}")
    elif isinstance(node, str):
        yield path, node


def test_the_openapi_document_is_plain() -> None:
    from drf_spectacular.generators import SchemaGenerator

    generator: Any = SchemaGenerator
    schema = generator().get_schema(request=None, public=True)

    texts = list(texts_of(schema))
    assert len(texts) > 1_000
    assert {path: phrases for path, text in texts if (phrases := riddles(text))} == {}
    properties = {
        name
        for definition in schema["components"]["schemas"].values()
        for name in definition.get("properties", {})
    }
    assert properties & _RIDDLE_NAMES == set()


@pytest.mark.parametrize(
    "name", sorted(name for name, app in get_commands().items() if app in APPS)
)
def test_the_help_of_commands_is_plain(name: str) -> None:
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    out = io.StringIO()
    parser.print_help(out)

    assert riddles(out.getvalue()) == []


@pytest.mark.parametrize(
    "path",
    [*tracked("*.html"), *tracked("*.md")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_pages_and_documents_are_plain(path: Path) -> None:
    assert riddles(path.read_text()) == []


@pytest.mark.parametrize("app", APPS)
def test_names_and_docstrings_of_the_code_are_plain(app: str) -> None:
    problems = [
        f"{path.relative_to(ROOT)}:{problem}"
        for path in tracked(f"{app}/*.py")
        if "migrations" not in path.parts
        for problem in _problems(ast.parse(path.read_text()), _EMPTY_NAMES)
    ]

    assert problems == []


@pytest.mark.parametrize(
    "folder",
    sorted({path.parent for path in tracked("tests/*.py")}),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_names_and_docstrings_of_the_tests_are_plain(folder: Path) -> None:
    problems = [
        f"{path.relative_to(ROOT)}:{problem}"
        for path in tracked("tests/*.py")
        if path.parent == folder
        for problem in _problems(ast.parse(path.read_text()), _RIDDLE_NAMES)
    ]

    assert problems == []


def _problems(tree: ast.Module, names: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node) or ""
            line = getattr(node, "lineno", 1)
            if _QUESTION_WORD.match(docstring):
                yield f"{line}: docstring begins with a question word: {docstring[:60]!r}"
            if match := _RIDDLE.search(docstring):
                yield f"{line}: {match[0]!r}"
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            if node.id in names:
                yield f"{node.lineno}: a variable called {node.id!r}"
        elif isinstance(node, ast.arg) and node.arg in names:
            yield f"{node.lineno}: a parameter called {node.arg!r}"
