"""Instruments and listings, to look at: only a load writes them."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from instruments import cfi, scoping
from instruments.models import (
    Difference,
    Instrument,
    InstrumentQuerySet,
    ListedVenue,
    Listing,
    ListingVersion,
    Reconciliation,
    Register,
    Scope,
    SubclassTransparency,
    TransparencyResult,
    Underlying,
    Venue,
    VolumeCap,
    VolumeCapVenue,
)
from instruments.models.scope import KINDS, codes
from marketdata.common.admin import ReadOnlyAdmin
from marketdata.common.pages import BoundedPaginator


class CategoryFilter(admin.SimpleListFilter):
    title = "category"
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(cfi.category_names().items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        letter = self.value()
        if not letter:
            return queryset
        return InstrumentQuerySet.of_category(queryset, letter)  # type: ignore[arg-type]


class RegisterFilter(admin.SimpleListFilter):
    title = "register"
    parameter_name = "register"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(register.value, str(register.label)) for register in Register]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        if wanted not in Register.values:
            return queryset
        return InstrumentQuerySet.in_register(queryset, wanted)  # type: ignore[arg-type]


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    paginator = BoundedPaginator
    list_display = [
        "isin",
        "full_name",
        "cfi_code",
        "notional_currency",
        "issuer_lei",
        "status",
        "mic",
        "eu_listings",
        "uk_listings",
    ]
    list_filter = ["status", RegisterFilter, CategoryFilter]
    search_fields = ["isin"]
    search_help_text = "An ISIN, or words of the name"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term:
            return queryset, False
        return InstrumentQuerySet.search(queryset, search_term), False  # type: ignore[arg-type]


class RecordAdmin(ReadOnlyAdmin):
    """Listings by key: a search by name is the instruments' business."""

    paginator = BoundedPaginator
    list_display = ["isin", "mic", "register", "status", "full_name", "valid_from", "source_file"]
    list_filter = ["status", "register", "record_kind"]
    list_select_related = ["source_file"]
    search_fields = ["=isin"]  # exact: anything else would read the whole table
    search_help_text = "An ISIN"


@admin.register(Listing)
class ListingAdmin(RecordAdmin):
    pass


@admin.register(ListingVersion)
class ListingVersionAdmin(RecordAdmin):
    list_display = [*RecordAdmin.list_display[:-1], "valid_to", "source_file"]


@admin.register(Underlying)
class UnderlyingAdmin(ReadOnlyAdmin):
    paginator = BoundedPaginator
    list_display = ["code", "instrument_id", "link"]
    search_fields = ["=code"]
    search_help_text = "ISIN, or LEI of an issuer"


@admin.register(Venue)
class VenueAdmin(ReadOnlyAdmin):
    list_display = ["mic", "operating_mic", "kind", "name", "category", "country", "status", "lei"]
    list_filter = ["status", "kind", "category", "country"]
    search_fields = ["mic", "name", "acronym", "legal_entity_name", "lei"]


class MissingFilter(admin.SimpleListFilter):
    title = "ISO 10383"
    parameter_name = "missing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "not in the list")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return cast(Any, queryset).missing() if self.value() else queryset


@admin.register(ListedVenue)
class ListedVenueAdmin(ReadOnlyAdmin):
    list_display = ["mic", "listings", "eu_listings", "uk_listings"]
    list_filter = [MissingFilter]
    search_fields = ["=mic"]


class ResultAdmin(ReadOnlyAdmin):
    paginator = BoundedPaginator
    list_filter = ["superseded", "liquid", "subject"]
    list_select_related = ["source_file"]
    _shown = ["classification", "subject", "reported_period_from", "reported_period_to", "liquid"]


@admin.register(TransparencyResult)
class TransparencyResultAdmin(ResultAdmin):
    list_display = ["isin", "methodology", *ResultAdmin._shown, "superseded", "source_file"]
    search_fields = ["=isin"]
    search_help_text = "An ISIN"
    ordering = ["isin", "pk"]


@admin.register(SubclassTransparency)
class SubclassTransparencyAdmin(ResultAdmin):
    list_display = ["asset_class", "sub_class", *ResultAdmin._shown, "superseded", "source_file"]
    search_fields = ["sub_class"]
    ordering = ["asset_class", "pk"]


class VolumeCapVenueInline(admin.TabularInline[VolumeCapVenue, VolumeCap]):
    model = VolumeCapVenue
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(VolumeCap)
class VolumeCapAdmin(ReadOnlyAdmin):
    paginator = BoundedPaginator
    list_display = [
        "isin",
        "reported_period_from",
        "reported_period_to",
        "percentage",
        "total_volume",
        "total_volume_currency",
        "last_updated_on",
        "superseded",
        "source_file",
    ]
    list_filter = ["superseded"]
    list_select_related = ["source_file"]
    search_fields = ["=isin"]
    search_help_text = "An ISIN"
    ordering = ["isin", "pk"]
    sortable_by = ["isin", "reported_period_to", "last_updated_on"]  # SQLite keeps decimals as text
    inlines = [VolumeCapVenueInline]


class DifferenceInline(admin.TabularInline[Difference, Reconciliation]):
    """The first of them; all that are kept have a page of their own."""

    model = Difference
    fields = ["kind", "isin", "mic", "changes"]
    can_delete = False
    max_num = 0
    SHOWN = 100

    def get_queryset(self, request: HttpRequest) -> QuerySet[Difference]:
        of = request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
        found = super().get_queryset(request)
        first = found.filter(reconciliation=of).order_by("pk").values_list("pk", flat=True)
        return found.filter(pk__in=list(first[: self.SHOWN]))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    list_display = [
        "published_on",
        "letter",
        "register",
        "listed",
        "same",
        "missed",
        "different",
        "extra",
        "late",
        "compared",
        "completed_at",
    ]
    list_filter = ["register", "letter", "compared", "published_on"]
    inlines = [DifferenceInline]


@admin.register(Difference)
class DifferenceAdmin(ReadOnlyAdmin):
    paginator = BoundedPaginator
    list_display = ["reconciliation", "kind", "isin", "mic", "changes"]
    list_filter = ["kind", "reconciliation__letter", "reconciliation__published_on"]
    list_select_related = ["reconciliation"]
    search_fields = ["=isin"]
    search_help_text = "An ISIN"


class ScopeForm(forms.ModelForm[Scope]):
    """Codes as text, with spaces or commas between."""

    categories = forms.CharField(required=False, help_text="first letters of CFI codes, as E D")
    authorities = forms.CharField(required=False, help_text="countries, as SE DE")
    venues = forms.CharField(required=False, help_text="MICs, as XSTO")
    isins = forms.CharField(
        required=False, widget=forms.Textarea, help_text="in scope whatever else is said"
    )

    class Meta:
        model = Scope
        fields = ["register", *KINDS]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        for kind in KINDS:
            try:
                said[kind] = codes(kind, said.get(kind, "").replace(",", " ").split())
            except ValidationError as error:
                self.add_error(kind, error.message_dict[kind])
        return said


@admin.register(Scope)
class ScopeAdmin(ReadOnlyAdmin):
    """A change is a new row, so nothing is edited; loads go by the last one of a register."""

    form = ScopeForm
    list_display = ["register", *KINDS[:-1], "set_at", "set_by"]
    list_filter = ["register"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("instruments.add_scope")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        criteria = {kind: form.cleaned_data[kind] for kind in KINDS}
        scope = scoping.change(
            Register(obj.register), criteria, by=request.user.get_username(), request=request
        )
        obj.pk = scope.pk
