"""The registers that list files, and which kinds of files each of them has."""

from django.db import models

from esma_files.names import Kind


class Dataset(models.TextChoices):
    """A register. The same file name in two of them is two files."""

    ESMA_FIRDS = "esma_firds", "ESMA FIRDS"
    ESMA_FITRS = "esma_fitrs", "ESMA FITRS"
    ESMA_DVCAP = "esma_dvcap", "ESMA volume cap"
    FCA_FIRDS = "fca_firds", "FCA FIRDS"


KINDS: dict[str, tuple[Kind, ...]] = {
    Dataset.ESMA_FIRDS: (Kind.FULINS, Kind.DLTINS, Kind.FULCAN, Kind.INVINS),
    Dataset.ESMA_FITRS: (Kind.FULECR, Kind.DLTECR, Kind.FULNCR, Kind.DLTNCR),
    Dataset.ESMA_DVCAP: (Kind.DVCRES,),
    Dataset.FCA_FIRDS: (Kind.FULINS, Kind.DLTINS, Kind.FULCAN, Kind.INVINS),
}
# Containers of Blob Storage, and folders below MEDIA_ROOT.
CONTAINERS: dict[str, str] = {
    Dataset.ESMA_FIRDS: "firds",
    Dataset.FCA_FIRDS: "firds",
    Dataset.ESMA_FITRS: "fitrs",
    Dataset.ESMA_DVCAP: "fitrs",
}
# Senders, as a header names them, whose files would be taken for those of a dataset: the names are alike.
_FOREIGN = {Dataset.ESMA_FIRDS: {"GB": Dataset.FCA_FIRDS, "FCA": Dataset.FCA_FIRDS}}


def foreign_senders(dataset: str) -> dict[str, str]:
    """Who sends no files of this dataset, and the dataset that theirs are of."""
    return {sender: of.value for sender, of in _FOREIGN.get(Dataset(dataset), {}).items()}


def esma_dataset_of(kind: Kind) -> Dataset:
    """The register of ESMA's that has files of this kind."""
    return next(dataset for dataset in KINDS if kind in KINDS[dataset])  # type: ignore[return-value]
