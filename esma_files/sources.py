"""The registers that list files, and which kinds of files each of them has."""

from django.db import models

from esma_files.names import Kind


class Source(models.TextChoices):
    """A register. The same file name in two of them is two files."""

    ESMA_FIRDS = "esma_firds", "ESMA FIRDS"
    ESMA_FITRS = "esma_fitrs", "ESMA FITRS"
    ESMA_DVCAP = "esma_dvcap", "ESMA volume cap"
    FCA_FIRDS = "fca_firds", "FCA FIRDS"


KINDS: dict[str, tuple[Kind, ...]] = {
    Source.ESMA_FIRDS: (Kind.FULINS, Kind.DLTINS, Kind.FULCAN, Kind.INVINS),
    Source.ESMA_FITRS: (Kind.FULECR, Kind.DLTECR, Kind.FULNCR, Kind.DLTNCR),
    Source.ESMA_DVCAP: (Kind.DVCRES,),
    Source.FCA_FIRDS: (Kind.FULINS, Kind.DLTINS, Kind.FULCAN, Kind.INVINS),
}
# Containers of Blob Storage, and folders below MEDIA_ROOT.
CONTAINERS: dict[str, str] = {
    Source.ESMA_FIRDS: "firds",
    Source.FCA_FIRDS: "firds",
    Source.ESMA_FITRS: "fitrs",
    Source.ESMA_DVCAP: "fitrs",
}
# Senders, as a header names them, whose files would be taken for those of a source: the names are alike.
_FOREIGN = {Source.ESMA_FIRDS: {"GB": Source.FCA_FIRDS, "FCA": Source.FCA_FIRDS}}


def foreign_senders(source: str) -> dict[str, str]:
    """Who sends no files of this source, and the source that theirs are of."""
    return {sender: of.value for sender, of in _FOREIGN.get(Source(source), {}).items()}


def esma_source_of(kind: Kind) -> Source:
    """The register of ESMA's that has files of this kind."""
    return next(source for source in KINDS if kind in KINDS[source])  # type: ignore[return-value]
