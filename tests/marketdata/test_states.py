"""The states that pages show as coloured labels, by their codes."""

import re

import pytest

from esma_files.models import Run
from instruments.listings.status import EffectiveStatus
from tests.conftest import ROOT

CODES = [*Run.State.values, *EffectiveStatus.values, "usable", "revoked", "on", "off", "silent"]


@pytest.mark.parametrize("code", sorted(set(CODES)))
def test_each_state_has_one_colour(code: str) -> None:
    style = (ROOT / "static" / "css" / "site.css").read_text()

    assert len(re.findall(rf"[.]status[.]{code}\b", style)) == 1


def test_no_template_chooses_the_colour_of_a_state() -> None:
    for path in (ROOT / "templates").rglob("*.html"):
        for classes in re.findall(r'class="status ([^"]*)"', path.read_text()):
            assert "{% if" not in classes, path
