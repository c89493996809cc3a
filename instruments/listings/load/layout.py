"""FIRDS records, as staging sees them."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esma_files.parsing.mapping import Mapping
from instruments.isin import keys_of
from instruments.listings.fields import CANCELLATIONS, DELTA_FILE, FIELDS, FULL_FILE, RecordKind
from instruments.listings.load import groups
from instruments.staging import fingerprint
from instruments.staging.checks import Refusal
from instruments.staging.layout import Checked, Groups, Layout

_ENDED = {RecordKind.TERMINATED: "terminated", RecordKind.CANCELLED: "cancelled"}
_ACTIVE = "active"
_ANY_ISIN = "AA0000000000"
_BEGINNINGS = ("published_period_from", "published_from", "published_on")


def _derive(checked: Checked, day: str) -> dict[str, pa.Array]:
    said = [checked.columns[name] for name in _BEGINNINGS if name in checked.columns]
    return {
        "record_kind": pa.repeat(checked.kind, checked.size),
        "status": pa.repeat(_ENDED.get(RecordKind(checked.kind), _ACTIVE), checked.size),
        "valid_from": pc.coalesce(*said, day) if said else pa.repeat(day, checked.size),
        "fingerprint": pa.array(checked.summed(checked.hashes, fingerprint.MASK)),
        "isin_key": _keys(checked.columns.get("isin"), checked.size),
    }


def _keys(isins: pa.StringArray | None, size: int) -> pa.Array:
    """The ISINs as numbers, for the index of names; of a record that is refused, any number."""
    if isins is None:
        return pa.nulls(size, pa.int64())
    texts = pc.if_else(pc.equal(pc.binary_length(isins.fill_null("")), 12), isins, _ANY_ISIN)
    letters = np.frombuffer("".join(texts.to_pylist()).encode(), dtype=np.uint8)
    return pa.array(keys_of(letters.reshape(size, 12)))


def _refuse(checked: Checked) -> Iterable[Refusal]:
    return ()


def _layout(mapping: Mapping) -> Layout:
    return Layout(
        mapping=mapping,
        fields=FIELDS,
        derived={
            "record_kind": "TEXT",
            "status": "TEXT",
            "valid_from": "TEXT",
            "fingerprint": "INTEGER",
            "isin_key": "INTEGER",
            **dict.fromkeys(groups.COLUMNS, "TEXT"),
        },
        derive=_derive,
        refuse=_refuse,
        groups=Groups(
            schema=groups.SCHEMA,
            refuse=groups.refusals,
            stage=groups.staged,
            columns=groups.columns_of,
            bring_in=groups.bring_in,
            left_out_wrongly=groups.known_without,
        ),
        # All that most records are asked for, so that the wide rows need not be read for it.
        index="CREATE INDEX record_key ON record (isin, mic, status, valid_from, fingerprint, isin_key)",
        asks_what_is_known=True,
        scoped=True,
    )


FULL, DELTA, CANCELLED = map(_layout, (FULL_FILE, DELTA_FILE, CANCELLATIONS))
