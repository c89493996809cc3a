"""Mappings of the elements of an ESMA message to Arrow columns: a new kind of file is a new mapping."""

import dataclasses
import functools
import tempfile
from collections.abc import Iterator

from xml2arrow import XmlToArrowParser

from esma_files.kinds import KINDS

DOCUMENT = "/BizData/Pyld/Document"


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
    """One ESMA message.

    `records` gives the path of each kind of record below `root` (as `FinInstrm/NewRcrd`); `leaves` are the
    paths in a record, the same for all kinds: elements by local name, attributes as `Amt/@Ccy`.
    """

    message: str  # as auth.017; any version of it, any draft
    root: str
    records: dict[str, str]
    leaves: tuple[str, ...]
    groups: tuple[Group, ...]
    # Versions of the message that differ too much to be read by one mapping.
    versions: tuple[tuple[str, "Mapping"], ...] = ()

    @classmethod
    def of_kind(
        cls,
        code: str,
        records: dict[str, str],
        leaves: tuple[str, ...],
        groups: tuple[Group, ...] = (),
        versions: tuple[tuple[str, "Mapping"], ...] = (),
    ) -> "Mapping":
        """Return a mapping of the message that the table of kinds declares for a kind of file."""
        kind = KINDS[code]
        return cls(kind.message, kind.root, records, leaves, groups, versions)

    def for_version(self, definition: str) -> "Mapping":
        """Return the mapping for a message definition, as auth.045.001.02."""
        return next(
            (mapping for version, mapping in self.versions if definition.endswith(version)), self
        )

    def __hash__(self) -> int:
        return hash((self.message, self.leaves))

    @property
    def record_tags(self) -> set[str]:
        """The elements right below the root that hold records."""
        return {path.partition("/")[0] for path in self.records.values()}

    def yaml(self) -> str:
        """Return the configuration of xml2arrow: text columns only, so that no value is ever changed."""
        root = f"{DOCUMENT}/{self.root}"
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
