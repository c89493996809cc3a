"""Mappings of the elements of a message to Arrow columns: a new kind of file is a new mapping."""

import dataclasses
import functools
import tempfile
from collections.abc import Iterator
from typing import Any

from xml2arrow import XmlToArrowParser

from esma_files.kinds import KINDS


@dataclasses.dataclass(frozen=True)
class Group:
    """Elements of a record that repeat, or are so rare that they are read into a table of their own.

    A row is one child element of `path`; `leaves` are paths below `path`. `repeats` where a record may have
    several elements at `path`.
    """

    name: str
    path: str
    leaves: tuple[str, ...]
    repeats: bool = False


@dataclasses.dataclass(frozen=True)
class Mapping:
    """One message.

    `records` gives the path of each kind of record below `root` (as `FinInstrm/NewRcrd`); `leaves` are the
    paths in a record, the same for all kinds: elements by local name, attributes as `Amt/@Ccy`. `document`
    are the elements around `root`, from the outermost.

    Elements in `numbered` may follow each other in one parent: the second is read as one with `2` behind its
    name, and so on. The groups named in `unkept` are counted, and not kept; an empty element in `optional`
    says nothing.
    """

    message: str  # as auth.017; any version of it, any draft
    root: str
    records: dict[str, str]
    leaves: tuple[str, ...]
    groups: tuple[Group, ...]
    # Versions of the message that differ too much to be read by one mapping.
    versions: tuple[tuple[str, "Mapping"], ...] = ()
    document: tuple[str, ...] = ("BizData", "Pyld", "Document")
    numbered: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    unkept: tuple[str, ...] = ()

    @classmethod
    def of_kind(
        cls,
        code: str,
        records: dict[str, str],
        leaves: tuple[str, ...],
        groups: tuple[Group, ...] = (),
        **options: Any,
    ) -> "Mapping":
        """Return a mapping of the message that the table of kinds declares for a kind of file.

        `options` are the other attributes of a mapping, as `numbered`.
        """
        kind = KINDS[code]
        options["document"] = kind.document
        return cls(kind.message, kind.root, records, leaves, groups, **options)

    @property
    def root_level(self) -> int:
        """The number of elements around a record."""
        return len(self.document) + 1

    def for_version(self, definition: str) -> "Mapping":
        """Return the mapping for a message definition, as auth.045.001.02."""
        return next(
            (mapping for version, mapping in self.versions if definition.endswith(version)), self
        )

    def __hash__(self) -> int:
        return hash((self.message, self.root, self.leaves))

    @property
    def record_tags(self) -> set[str]:
        """The elements right below the root that hold records."""
        return {path.partition("/")[0] for path in self.records.values()}

    def yaml(self) -> str:
        """Return the configuration of xml2arrow: text columns only, so that no value is ever changed."""
        root = "/" + "/".join((*self.document, self.root))
        lines = ["tables:", *_table("records", root, ["n"])]
        for kind, record in self.records.items():
            lines += (_field(f"{kind}|{leaf}", f"{root}/{record}/{leaf}") for leaf in self.leaves)
        for kind, record in self.records.items():
            for group in self.groups:
                path = f"{root}/{record}/{group.path}"
                lines += _table(f"{kind}|{group.name}", path, ["n", "m"])
                lines += (_field(leaf, f"{path}/{leaf}") for leaf in group.leaves)
        return "\n".join(lines)


def _table(name: str, path: str, levels: list[str]) -> Iterator[str]:
    yield f"  - name: '{name}'"
    yield f"    xml_path: {path}"
    yield f"    levels: [{', '.join(levels)}]"
    yield "    fields:"


def _field(name: str, path: str) -> str:
    return f"      - {{name: '{name}', xml_path: '{path}', data_type: Utf8, nullable: true}}"


@functools.cache
def parser(mapping: Mapping) -> XmlToArrowParser:
    """Return the compiled parser; xml2arrow reads its configuration from a file only."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(mapping.yaml())
        config.flush()
        return XmlToArrowParser(config.name)
