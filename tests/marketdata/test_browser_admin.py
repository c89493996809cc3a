"""Lists of the admin in a real Chromium, with the data of the demo."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from tests.browsing import Visit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
_AMERICAN_DATE = re.compile(r"\b(Jan|Feb|March|April|May|June|July|Aug|Sept|Oct|Nov|Dec)\b\.? \d")
_WIDTH = """() => {
    const table = document.querySelector("#result_list");
    return table ? table.scrollWidth - table.parentElement.clientWidth : 0;
}"""


@pytest.mark.usefixtures("demo")
def test_lists_fit_1280_pixels_and_have_iso_dates(admin_visit: Visit) -> None:
    admin_visit.page.set_viewport_size({"width": 1280, "height": 800})
    too_wide = {}
    for model in apps.get_models():
        if not admin.site.is_registered(model):
            continue
        label = f"{model._meta.app_label}_{model._meta.model_name}"
        admin_visit.open(reverse(f"admin:{label}_changelist"))
        if excess := admin_visit.page.evaluate(_WIDTH):
            too_wide[label] = excess
        assert not _AMERICAN_DATE.search(admin_visit.page.inner_text("#content")), label

    assert too_wide == {}
    admin_visit.check()


@pytest.mark.usefixtures("demo")
def test_a_filter_is_a_menu_that_shows_its_choice(admin_visit: Visit) -> None:
    page = admin_visit.page
    admin_visit.open(reverse("admin:esma_files_esmafile_changelist"))
    page.get_by_text("By dataset").click()
    page.get_by_role("link", name="FCA FIRDS").click()

    page.locator("#changelist-filter summary", has_text="FCA FIRDS").wait_for()
    assert page.locator("#changelist-filter details[open]").count() == 0
    assert set(page.locator("#result_list .field-dataset").all_inner_texts()) == {"FCA FIRDS"}
    admin_visit.check()
