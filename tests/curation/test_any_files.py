"""Files of any kind and in any order over a correction come to what a plain model says."""

from typing import NamedTuple

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from curation import proposals
from curation.proposals import Proposal
from esma_files.models import EsmaFile, Run
from instruments import pipeline
from instruments.models import Correction, Instrument
from tests import firds
from tests.instruments.listings.merging import VOLVO, Write, day, delta, full
from tests.instruments.listings.test_any_order import clear
from tests.properties import examples

pytestmark = pytest.mark.django_db(transaction=True)

OLD, RIGHT, THIRD = "OLD NAME", "RIGHT NAME", "THIRD NAME"
MICS = ("AAAA", "BBBB")


FULL_DAYS, DELTA_DAYS = (5, 7), (4, 6, 8)


class Publication(NamedTuple):
    """A file of a day, or its republication; `names` are those of the venues that it has a record of.

    A full set has a record of both venues.
    """

    number: int
    revision: int
    names: tuple[str | None, str | None]

    def write(self, make_zip: Write) -> EsmaFile:
        is_full = self.number in FULL_DAYS
        tag = "RefData" if is_full else "ModfdRcrd"
        records = [
            firds.record(tag, VOLVO, mic, name=name, period=day(self.number), relevant="AAAA")
            for mic, name in zip(MICS, self.names, strict=True)
            if name is not None
        ]
        name = full(self.number) if is_full else delta(self.number)
        created = f"{day(self.number)}T0{3 + self.revision}:00:00Z"
        path = make_zip(
            name, firds.message(name, *records, created=created), folder=f"r{self.revision}"
        )
        [file] = pipeline.register_files([path])
        return file


_NAMES = st.sampled_from([OLD, RIGHT, THIRD])
_NAME_OR_NONE = st.one_of(st.none(), _NAMES)
_DELTAS = st.builds(
    Publication,
    st.sampled_from(DELTA_DAYS),
    st.integers(0, 1),
    st.tuples(_NAME_OR_NONE, _NAME_OR_NONE).filter(any),
)
_FULL_SETS = st.builds(
    Publication, st.sampled_from(FULL_DAYS), st.integers(0, 1), st.tuples(_NAMES, _NAMES)
)
_PUBLICATIONS = st.lists(
    st.one_of(_DELTAS, _FULL_SETS),
    max_size=6,
    unique_by=lambda publication: publication[:2],
)


def get_published(loaded: list[Publication]) -> list[str]:
    """Return the newest name of each venue: of each day the newest revision counts."""
    newest = {row.number: row for row in sorted(loaded)}
    names = [OLD, OLD]
    for number in sorted(newest):
        for place, name in enumerate(newest[number].names):
            names[place] = name or names[place]
    return names


def follow(state: str, published: list[str]) -> str:
    if state not in ("in_force", "to_review"):
        return state
    if set(published) == {RIGHT}:
        return "overtaken"
    return "to_review" if THIRD in published else state


def serve(state: str, published: str, in_review: str) -> str:
    if state == "in_force":
        return RIGHT if published == OLD else published
    return RIGHT if (state, in_review) == ("to_review", "hold") else published


@pytest.mark.slow
@examples(30)
@given(publications=_PUBLICATIONS, in_review=st.sampled_from(["hold", "yield"]))
def test_any_files_over_a_correction_come_to_what_the_model_says(
    make_zip: Write, publications: list[Publication], in_review: str
) -> None:
    clear()
    Correction.objects.all().delete()
    with override_settings(CORRECTIONS_IN_REVIEW=in_review):
        base = [
            firds.record("RefData", VOLVO, mic, name=OLD, period=day(1), relevant="AAAA")
            for mic in MICS
        ]
        path = make_zip(full(2), firds.message(full(2), *base))
        [result] = pipeline.load(pipeline.register_files([path]))
        assert result.error is None
        correction = proposals.propose(
            Proposal("ESMA", VOLVO, "full_name", RIGHT, "Misspelt"), by="ann"
        )
        proposals.approve(correction, by="carl")
        state, loaded = "in_force", []
        for publication in publications:
            [result] = pipeline.load([publication.write(make_zip)])
            assert result.error is None
            assert result.run is not None
            assert result.run.state == Run.State.DONE
            loaded.append(publication)
            published = get_published(loaded)
            state = follow(state, published)

            correction.refresh_from_db()
            assert (correction.state, published) == (state, published)
            instrument = Instrument.objects.get(pk=VOLVO)
            reference = next(
                name for mic, name in zip(MICS, published, strict=True) if mic == instrument.mic
            )
            assert instrument.full_name == serve(state, reference, in_review)
