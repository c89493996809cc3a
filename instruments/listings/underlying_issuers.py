"""Instruments with an underlying that some entities are, or have issued.

An issuer of warrants has millions of instruments and hardly one of them is an underlying; all instruments
together have far fewer underlyings. So the underlyings are found from the shorter side of the two.
"""

from collections.abc import Sequence
from typing import Any, cast

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Exists, F, OuterRef, Q

from instruments.listings import search
from instruments.models import Instrument, InstrumentQuerySet, Underlying
from marketdata.common.unchanged import remember

# So many instruments are looked up among the underlyings. For more of them, all underlyings are looked up
# among the instruments.
_LOOKED_UP = 10_000
_INSTRUMENT, _UNDERLYING = Instrument._meta.db_table, Underlying._meta.db_table


def filter_by_issuers_of_underlyings(
    instruments: InstrumentQuerySet, leis: Sequence[str], *, looked_up: int = _LOOKED_UP
) -> InstrumentQuerySet:
    """Return the instruments with an underlying that is, or is issued by, one of at most 1,000 LEIs.

    Members of baskets are underlyings, too.
    """
    database = instruments.db
    rows = Underlying.objects.order_by()
    if connections[database].vendor == "sqlite":
        codes = _find_underlyings(database, leis, looked_up)
        rows = rows.filter(code__in=[*leis, *codes])
    else:
        issued = Instrument.objects.issued_by(*leis).order_by().values("isin")
        rows = rows.filter(Q(code__in=leis) | Q(code__in=issued))
    keys: Any = rows.values(isin=F("instrument_id"))
    if (number := keys.using(database)[: search.MANY].count()) >= search.MANY:
        return instruments.filter(pk__in=keys)
    return cast(InstrumentQuerySet, search.among(instruments, keys, number))


def _find_underlyings(database: str, leis: Sequence[str], looked_up: int) -> list[str]:
    """Return the ISINs of the underlyings that these entities have issued."""
    if database != DEFAULT_DB_ALIAS:
        return _read_underlyings(database, leis, looked_up)
    key = ("underlyings of issuers", tuple(leis), looked_up)
    return remember(key, lambda: _read_underlyings(database, leis, looked_up))


def _read_underlyings(database: str, leis: Sequence[str], looked_up: int) -> list[str]:
    issued = Instrument.objects.using(database).issued_by(*leis).order_by()
    if issued.values("pk")[:looked_up].count() < looked_up:
        derivatives = Underlying.objects.filter(code=OuterRef("pk")).order_by()
        return list(issued.filter(Exists(derivatives)).values_list("pk", flat=True))
    with connections[database].cursor() as cursor:
        # From each code to the next one, since the table has a row for each of millions of derivatives. CROSS
        # JOIN makes SQLite look up the instruments, and not read those of the issuers.
        cursor.execute(
            f"""
            WITH RECURSIVE known (code) AS (
                SELECT min(code) FROM {_UNDERLYING}
                UNION ALL
                SELECT (SELECT min(u.code) FROM {_UNDERLYING} u WHERE u.code > known.code)
                FROM known WHERE known.code IS NOT NULL
            )
            SELECT i.isin FROM known CROSS JOIN {_INSTRUMENT} i ON i.isin = known.code
            WHERE i.issuer_lei IN ({", ".join("%s" for _ in leis)})
            """,
            leis,
        )
        return [isin for (isin,) in cursor.fetchall()]
