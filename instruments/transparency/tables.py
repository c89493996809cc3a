"""The tables that FITRS records go into: by ISIN, and by sub-class of an asset class."""

from instruments.models import SubclassTransparency, TransparencyResult
from instruments.published_results.merge import ResultTable
from instruments.published_results.models import PublishedResult
from instruments.transparency.fields import CRITERIA, FIELDS_OF, SUB_CLASS

_IDENTIFIED_BY = ("fingerprint", "result_key", SUB_CLASS, CRITERIA)
_DERIVED = ("record_kind", "subject")


def _table(model: type[PublishedResult], owner: str) -> ResultTable:
    in_table = {field.attname for field in model._meta.fields}
    in_files = {field.column for fields in FIELDS_OF.values() for field in fields}
    return ResultTable(
        model,
        owner,
        frozenset(in_files & in_table),
        identified_by=_IDENTIFIED_BY,
        derived=_DERIVED,
    )


TABLES = (_table(TransparencyResult, "isin"), _table(SubclassTransparency, "asset_class"))
