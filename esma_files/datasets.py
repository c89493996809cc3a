"""Datasets: what one authority publishes in one form."""

import dataclasses

from django.db import models


class Dataset(models.TextChoices):
    """A dataset. The same file name in two datasets is two files."""

    ESMA_FIRDS = "esma_firds", "ESMA FIRDS"
    ESMA_FITRS = "esma_fitrs", "ESMA FITRS"
    ESMA_DVCAP = "esma_dvcap", "ESMA volume cap"
    FCA_FIRDS = "fca_firds", "FCA FIRDS"
    FCA_FITRS = "fca_fitrs", "FCA FITRS"
    GLEIF_LEI2 = "gleif_lei2", "GLEIF legal entities"
    GLEIF_RR = "gleif_rr", "GLEIF relationships"
    GLEIF_REPEX = "gleif_repex", "GLEIF reporting exceptions"
    GLEIF_ISIN_LEI = "gleif_isin_lei", "GLEIF ISIN-LEI mapping"
    GLEIF_BIC_LEI = "gleif_bic_lei", "GLEIF BIC-LEI mapping"

    @property
    def publication(self) -> "Publication":
        return PUBLICATIONS[self]

    @property
    def authority(self) -> str:
        """The publisher whose list names the files: ESMA, FCA or GLEIF."""
        return self.publication.authority


@dataclasses.dataclass(frozen=True)
class Publication:
    """The address of a dataset's list of files, and the place where its files are stored.

    `senders` are the codes that the header of a file may name in `Fr`: files of ESMA and of the FCA have the
    same names; those of GLEIF name none. The list of files is at the address in the setting `url_setting`, in
    ESMA's Solr below it in `core`, which in GLEIF's list is the name of the files. `day_field` is the field
    with the day of publication. `names_in_links` is False where the address of a file does not end with its
    name.
    """

    authority: str
    senders: tuple[str, ...]
    url_setting: str
    core: str
    day_field: str
    container: str  # in Blob Storage; a folder below MEDIA_ROOT otherwise
    folder: str = ""  # below the container
    names_in_links: bool = True


_ESMA, _FCA = ("EU", "ESMA"), ("GB", "FCA")
_GLEIF = "GLEIF_GOLDEN_COPY_URL"
_SOLR, _FCA_FIRDS, _FCA_FITRS = (
    "ESMA_REGISTER_URL",
    "FCA_REGISTER_URL",
    "FCA_FITRS_REGISTER_URL",
)
PUBLICATIONS: dict[Dataset, Publication] = {
    Dataset.ESMA_FIRDS: Publication(
        "ESMA", _ESMA, _SOLR, "esma_registers_firds_files", "publication_date", "firds"
    ),
    Dataset.ESMA_FITRS: Publication(
        "ESMA", _ESMA, _SOLR, "esma_registers_fitrs_files", "creation_date", "fitrs"
    ),
    Dataset.ESMA_DVCAP: Publication(
        "ESMA", _ESMA, _SOLR, "esma_registers_dvcap_files", "creation_date", "fitrs"
    ),
    Dataset.FCA_FIRDS: Publication(
        "FCA", _FCA, _FCA_FIRDS, "", "publication_date", "firds", folder="fca"
    ),
    Dataset.FCA_FITRS: Publication(
        "FCA", _FCA, _FCA_FITRS, "", "publication_date", "fitrs", folder="fca"
    ),
    Dataset.GLEIF_LEI2: Publication("GLEIF", (), _GLEIF, "lei2", "", "firds", folder="gleif"),
    Dataset.GLEIF_RR: Publication("GLEIF", (), _GLEIF, "rr", "", "firds", folder="gleif"),
    Dataset.GLEIF_REPEX: Publication("GLEIF", (), _GLEIF, "repex", "", "firds", folder="gleif"),
    **{
        dataset: Publication(
            "GLEIF", (), url_setting, "", "", "firds", folder="gleif", names_in_links=False
        )
        for dataset, url_setting in (
            (Dataset.GLEIF_ISIN_LEI, "GLEIF_ISIN_LEI_URL"),
            (Dataset.GLEIF_BIC_LEI, "GLEIF_BIC_LEI_URL"),
        )
    },
}
# GLEIF's relations of LEIs to other identifiers: each file has all pairs, and replaces those before.
MAPPINGS = (Dataset.GLEIF_ISIN_LEI, Dataset.GLEIF_BIC_LEI)
CONTAINERS = sorted({publication.container for publication in PUBLICATIONS.values()})
