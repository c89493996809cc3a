"""The resources of django-import-export: the tables that can be imported and exported.

Importing is what a person does in the admin or by the API, row by row: a correction is proposed, a venue
added, a scope set. The permission is the same, and each row is in the audit trail.
"""

import dataclasses
import datetime as dt
import re
from typing import Any

from django.core.exceptions import ValidationError
from import_export import fields, resources

from audit import trail
from curation import proposals, watching
from curation.models import WatchList
from instruments import corrected_records
from instruments.correctable import CorrectionSubject
from instruments.fields import LEI
from instruments.lei import is_valid as is_valid_lei
from instruments.listings import scoping
from instruments.listings.models.scope import KINDS, codes
from instruments.models import Correction, DataSubject, DataVersion, Register, Scope, Venue
from marketdata.common.errors import InvalidQuery, MarketDataError

# The start of the comment of a venue that the ISO 10383 list lacks. A list that has it replaces the row.
ADDITION = "Added by a curator: "
_VENUE_TEXTS = ("legal_entity_name", "lei", "category", "acronym", "city", "website")


class _Resource(resources.ModelResource):
    """A resource of which each row is checked and saved by the functions that a person's request calls."""

    columns: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    key: tuple[str, ...] = ()

    def __init__(self, *, by: str = "", request: Any = None) -> None:
        super().__init__()
        self.by, self.request = by, request

    class Meta:
        skip_html_diff = True
        report_skipped = True
        store_instance = True
        use_transactions = True
        import_id_fields: tuple[str, ...] = ()

    def get_missing_columns(self, columns: list[str]) -> list[str]:
        """Return the names of required columns that a table lacks."""
        return [name for name in self.required if name not in columns]

    def get_unknown_columns(self, columns: list[str]) -> list[str]:
        return [name for name in columns if name not in self.columns]

    def export_rows(self) -> Any:
        """Return the rows that an export has, as a list or queryset."""
        return self.get_queryset()

    def validate_instance(self, instance: Any, *errors: Any, **options: Any) -> None:
        """Raise the errors that reading the row gave; the functions that save it check its values."""
        if errors and errors[0]:
            raise ValidationError(errors[0])

    def export_field(self, field: Any, instance: Any, **options: Any) -> Any:
        value = getattr(instance, field.attribute)
        return (
            _text(value)
            if isinstance(value, list)
            else super().export_field(field, instance, **options)
        )

    def describe_changes(self, original: Any, instance: Any) -> dict[str, list[str]]:
        """Return old and new text of each column that differs; `original` is None for a new row."""
        changes = {}
        for name in self.columns:
            old = _text(getattr(original, name, None)) if original is not None else ""
            new = _text(getattr(instance, name, None))
            if old != new:
                changes[name] = [old, new]
        return changes


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def _invalid(error: MarketDataError) -> ValidationError:
    """Return an error of a question as an invalid row."""
    if isinstance(error, InvalidQuery):
        return ValidationError({error.parameter: [str(error)]})
    return ValidationError([str(error)])


def _day(name: str, text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError as error:
        raise ValidationError({name: [f"{text!r} is not a day, as 2026-11-27."]}) from error


class CorrectionResource(_Resource):
    """Corrections: each row of an import is a proposal."""

    columns = (
        *("register", "isin", "mic", "field", "expected", "value", "reason", "evidence", "lei"),
        *("valid_from", "valid_to", "reported_on"),
    )
    required = ("field", "value", "reason")
    key = ("register", "isin", "lei", "mic", "field")

    class Meta(_Resource.Meta):
        model = Correction
        fields = (
            *("id", "register", "isin", "lei", "mic", "field", "expected", "value", "reason"),
            *("evidence", "valid_from", "valid_to", "reported_on", "state", "proposed_at"),
            "approved_at",
        )
        export_order = fields

    def get_instance(self, instance_loader: Any, row: Any) -> None:
        return None

    def import_instance(self, instance: Any, row: Any, **options: Any) -> None:
        values: dict[str, Any] = {name: row.get(name) or "" for name in self.columns}
        for name in self.columns[-3:]:
            values[name] = _day(name, values[name])
        # An empty cell cannot tell an absent value from one that was not given.
        values["expected"] = values["expected"] or None
        self.proposal = proposals.Proposal(**values)
        try:
            checked = proposals.check(self.proposal)
        except MarketDataError as error:
            raise _invalid(error) from error
        for name in self.columns:
            setattr(instance, name, getattr(checked, name))

    def do_instance_save(self, instance: Any, is_create: bool) -> None:
        try:
            saved = proposals.propose(self.proposal, by=self.by, request=self.request)
        except MarketDataError as error:
            raise _invalid(error) from error
        instance.pk = saved.pk

    def describe_changes(self, original: Any, instance: Any) -> dict[str, list[str]]:
        return {instance.field: [instance.expected, instance.value]}


class VenueResource(_Resource):
    """Additions to the list of venues: MICs that ISO 10383 does not publish."""

    columns = ("mic", "operating_mic", "name", "country", *_VENUE_TEXTS, "comments")
    required = ("mic", "name", "country", "comments")
    key = ("mic",)

    class Meta(_Resource.Meta):
        model = Venue
        fields = ("mic", "operating_mic", "name", "country", *_VENUE_TEXTS, "comments")
        export_order = fields
        import_id_fields = ("mic",)
        skip_unchanged = True

    def get_queryset(self) -> Any:
        return Venue.objects.filter(comments__startswith=ADDITION)

    def before_import_row(self, row: Any, **options: Any) -> None:
        for name in self.columns:
            row[name] = (row.get(name) or "").strip()
        for name in ("mic", "operating_mic", "country", "lei", "category"):
            row[name] = row[name].upper()
        row["operating_mic"] = row["operating_mic"] or row["mic"]
        reason = row["comments"].removeprefix(ADDITION)
        if not reason:
            raise ValidationError({"comments": ["Give the reason and the source of the venue."]})
        row["comments"] = ADDITION + reason
        listed = Venue.objects.filter(mic=row["mic"]).exclude(comments__startswith=ADDITION)
        if listed.exists():
            raise ValidationError({"mic": [f"The list of venues (ISO 10383) has {row['mic']}."]})
        if row["lei"] and not (re.fullmatch(LEI, row["lei"]) and is_valid_lei(row["lei"])):
            raise ValidationError({"lei": [f"{row['lei']!r} is not an LEI."]})
        for name, length in (("mic", 4), ("operating_mic", 4), ("country", 2)):
            if len(row[name]) != length or not row[name].isascii() or not row[name].isalnum():
                raise ValidationError(
                    {name: [f"{row[name]!r} has not {length} letters or digits."]}
                )

    def before_save_instance(self, instance: Any, row: Any, **options: Any) -> None:
        is_operating = instance.mic == instance.operating_mic
        instance.kind = Venue.Kind.OPERATING if is_operating else Venue.Kind.SEGMENT
        instance.status = "ACTIVE"

    def validate_instance(self, instance: Any, *errors: Any, **options: Any) -> None:
        super().validate_instance(instance, *errors, **options)
        others = {field.name for field in Venue._meta.fields} - set(self.columns)
        instance.clean_fields(exclude=others)

    def do_instance_save(self, instance: Any, is_create: bool) -> None:
        instance.save(force_insert=is_create)
        trail.record(
            "venue.added",
            request=self.request,
            actor=self.by,
            about=instance,
            new={name: _text(getattr(instance, name)) for name in self.columns},
        )
        corrected_records.apply(CorrectionSubject.VENUE, [instance.mic])
        DataVersion.objects.renew(DataSubject.VENUES)


class ScopeResource(_Resource):
    """The scope of each register; codes with spaces between."""

    columns = ("register", *KINDS)
    required = ("register",)
    key = ("register",)

    register = fields.Field(attribute="register", column_name="register")

    class Meta(_Resource.Meta):
        model = Scope
        fields = ("register", *KINDS)
        export_order = fields

    def get_instance(self, instance_loader: Any, row: Any) -> Any:
        register = (row.get("register") or "").strip().upper()
        if register not in Register.values:
            raise ValidationError({"register": [f"{register!r} is not a register: ESMA or FCA."]})
        row["register"] = register
        return Scope.objects.current(register)

    def import_instance(self, instance: Any, row: Any, **options: Any) -> None:
        for kind in KINDS:
            setattr(instance, kind, codes(kind, (row.get(kind) or "").split()))

    def skip_row(self, instance: Any, original: Any, row: Any, errors: Any = None) -> bool:
        return not errors and bool(instance.values() == original.values())

    def do_instance_save(self, instance: Any, is_create: bool) -> None:
        scoping.change(
            Register(instance.register), instance.values(), by=self.by, request=self.request
        )

    def export_rows(self) -> Any:
        return [Scope.objects.current(register) for register in Register.values]


class WatchListResource(_Resource):
    """The importer's own watch lists of ISINs: each row is a list, which is made or replaced."""

    columns = ("name", "isins", "filter", "by_mail")
    required = ("name",)
    key = ("name",)

    class Meta(_Resource.Meta):
        model = WatchList
        fields = ("name", "isins", "filter", "by_mail")
        export_order = fields

    def get_queryset(self) -> Any:
        return WatchList.objects.filter(owner=self.by)

    def get_instance(self, instance_loader: Any, row: Any) -> Any:
        return self.get_queryset().filter(name=(row.get("name") or "").strip()).first()

    def import_instance(self, instance: Any, row: Any, **options: Any) -> None:
        instance.owner = self.by
        instance.name = (row.get("name") or "").strip()
        instance.isins = (row.get("isins") or "").split()
        instance.filter = row.get("filter") or ""
        instance.by_mail = (row.get("by_mail") or "").strip().lower() in ("true", "1", "yes")
        if len(instance.name) > 100 or len(instance.filter) > 500:
            raise ValidationError(["A name has at most 100 letters, and a filter 500."])
        try:
            watching.check(instance)
        except MarketDataError as error:
            raise _invalid(error) from error

    def skip_row(self, instance: Any, original: Any, row: Any, errors: Any = None) -> bool:
        return not errors and instance.pk and not self.describe_changes(original, instance)

    def do_instance_save(self, instance: Any, is_create: bool) -> None:
        try:
            watching.save(instance)
        except MarketDataError as error:
            raise _invalid(error) from error


@dataclasses.dataclass(frozen=True)
class Table:
    """A table that can be imported and exported, with the permissions for both."""

    kind: str
    title: str
    resource: type[_Resource]
    to_import: str
    to_export: str


TABLES: dict[str, Table] = {
    table.kind: table
    for table in (
        Table(
            "corrections",
            "Corrections",
            CorrectionResource,
            "instruments.add_correction",
            "instruments.view_correction",
        ),
        Table(
            "venues",
            "Additions to the list of venues",
            VenueResource,
            "curation.import_venue",
            "instruments.view_venue",
        ),
        Table("scope", "Scopes", ScopeResource, "instruments.add_scope", "instruments.view_scope"),
        Table(
            "lists",
            "Your watch lists",
            WatchListResource,
            "curation.keep_watchlist",
            "curation.keep_watchlist",
        ),
    )
}
