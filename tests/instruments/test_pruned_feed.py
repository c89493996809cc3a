"""What pruning takes away leaves nothing behind: no underlyings, and no cursor that knows of it."""

import io

import pytest
from django.core.management import call_command

from instruments import changes, scoping
from instruments.models import Listing, Register, Underlying
from tests import firds
from tests.instruments.merging import DSB, VOLVO, Write, day, full, load

pytestmark = pytest.mark.django_db(transaction=True)

ON_VOLVO = (
    f"<DerivInstrmAttrbts><UndrlygInstrm><Sngl><ISIN>{VOLVO}</ISIN></Sngl></UndrlygInstrm>"
    "</DerivInstrmAttrbts>"
)


def test_underlyings_go_with_their_instrument_and_clients_begin_anew(make_zip: Write) -> None:
    load(
        make_zip,
        full(2),
        firds.record("RefData", VOLVO, "XSTO", period=day(1)),
        firds.record("RefData", DSB, "XCSE", period=day(1), extra=ON_VOLVO),
    )
    cursor = str(changes.latest())
    assert changes.since(cursor) == changes.latest()
    assert Underlying.objects.count() == 1

    scoping.change(Register.ESMA, {"venues": ["XSTO"]})
    call_command("scope", "prune", "--yes", stdout=io.StringIO())

    assert Listing.objects.get().isin == VOLVO
    assert not Underlying.objects.exists()
    with pytest.raises(changes.BadCursor, match="another database"):
        changes.since(cursor)
