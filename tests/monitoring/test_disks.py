"""The health check that looks for disks that are nearly full."""

from pathlib import Path

import pytest
from django.conf import LazySettings

from monitoring.health.checks import check_disks
from tests import small_disks

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("megabytes", "status"), [(5, "failed"), (60, "warning")])
def test_a_disk_that_is_nearly_full_is_named(
    megabytes: int, status: str, settings: LazySettings, tmp_path: Path
) -> None:
    with small_disks.mounted(tmp_path / "disk", megabytes=megabytes) as disk:
        settings.STAGING_DIR = disk / "staging"
        outcome = check_disks()

    assert outcome.status == status
    assert outcome.reason.startswith(f"the disk of {disk} (mounted at {disk}) is too full")


def test_disks_with_space_and_places_that_are_no_disks_are_fine(settings: LazySettings) -> None:
    settings.STAGING_DIR = Path("/proc/staging")

    assert check_disks().status == "ok"
