"""Lists of the admin in a real Chromium, with the data of the demo."""

import re

import pytest
from django.urls import reverse

from tests.admin_pages import find_admin_pages
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
    for model in find_admin_pages():
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


def test_a_double_click_adds_one_version_of_a_profile(admin_visit: Visit) -> None:
    page = admin_visit.page
    admin_visit.open(reverse("admin:instruments_outputprofile_add"))
    page.fill("input[name=name]", "short")
    page.select_option("select[name=rows]", "instruments")
    page.fill("textarea[name=columns]", '[{"name": "ID", "field": "isin"}]')
    # Clicks without a pause are one submission for Chromium.
    page.locator("input[name=_save]").evaluate(
        "button => { button.click(); setTimeout(() => button.click(), 30); }"
    )
    page.locator(".messagelist").wait_for()

    assert page.locator(".messagelist .success").count() == 1
    assert page.locator(".messagelist .warning").count() == 0
    assert page.locator("#result_list tbody tr").count() == 1
    admin_visit.check()
