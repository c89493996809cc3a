"""Instruments and listings, to look at: only a load writes them."""

from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join

from instruments.classification import cfi
from instruments.listings import facets
from instruments.models import (
    Instrument,
    InstrumentQuerySet,
    ListedVenue,
    Listing,
    ListingVersion,
    Register,
    Status,
    SubclassTransparency,
    TransparencyResult,
    Underlying,
    Venue,
    VolumeCap,
    VolumeCapVenue,
)
from marketdata.web.admin import ReadOnlyAdmin


class _BoundedFilter(admin.SimpleListFilter):
    """A filter whose counts are those of searches: bounded, so that no count reads the table."""

    def get_facet_queryset(self, changelist: Any) -> dict[str, Any]:
        name = str(self.parameter_name)
        matching = changelist.get_queryset(
            self.request, exclude_parameters=self.expected_parameters()
        )
        chosen = {key: value for key, value in changelist.params.items() if key != name}
        if changelist.query:
            chosen["q"] = changelist.query
        facet = facets.count([name], matching, chosen)[name]
        counts = dict(facet.values)
        bound = "" if facet.is_exact else " or more"
        return {
            f"{i}__c": f"{counts.get(code, 0):,}{bound}"
            for i, (code, _) in enumerate(self.lookup_choices)
        }


class StatusFilter(_BoundedFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status.value, str(status.label)) for status in Status]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(status=self.value()) if self.value() else queryset


class CategoryFilter(_BoundedFilter):
    title = "category"
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(cfi.category_names().items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        letter = self.value()
        if not letter:
            return queryset
        return InstrumentQuerySet.of_category(queryset, letter)  # type: ignore[arg-type]


class RegisterFilter(_BoundedFilter):
    title = "register"
    parameter_name = "register"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(register.value, str(register.label)) for register in Register]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        register = self.value()
        if register not in Register.values:
            return queryset
        return InstrumentQuerySet.in_register(queryset, register)  # type: ignore[arg-type]


# Lists of the admin that are searched for an ISIN.
_LINKED_LISTS = {
    "instruments_listing_changelist": "listings",
    "instruments_listingversion_changelist": "versions of listings",
    "instruments_transparencyresult_changelist": "transparency results",
    "instruments_volumecap_changelist": "volume caps",
    "instruments_correction_changelist": "corrections",
    "esma_files_rejectedrecord_changelist": "rejected records",
}


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    """Instruments, with links to their rows in other tables, to their files and to the page of the site."""

    readonly_fields = ["links"]
    fields = ["links", *(field.name for field in Instrument._meta.fields)]
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
    list_filter = [StatusFilter, RegisterFilter, CategoryFilter]
    show_facets = admin.ShowFacets.ALLOW  # bounded ones
    search_fields = ["isin"]
    search_help_text = "An ISIN, or words of the name"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term:
            return queryset, False
        return InstrumentQuerySet.search(queryset, search_term), False  # type: ignore[arg-type]

    def links(self, instrument: Instrument) -> str:
        """Return links to the rows of the instrument in other tables, its files, and its page of the site."""
        isin = instrument.isin
        links = [
            (f"{reverse(f'admin:{admin_list}')}?q={isin}", title)
            for admin_list, title in _LINKED_LISTS.items()
        ]
        files = Listing.objects.filter(isin=isin).values_list("source_file", "source_file__name")
        links += [
            (reverse("admin:esma_files_esmafile_change", args=[key]), name)
            for key, name in sorted(set(files), key=lambda file: file[1])
        ]
        links.append((reverse("instrument", args=[isin]), "page of the site"))
        return format_html_join("", '<div><a href="{}">{}</a></div>', links)


class RecordAdmin(ReadOnlyAdmin):
    """Listings by key: a search by name is the instruments' business.

    There are no filters: for those, no index has the order of the list, so that they would read the table.
    """

    list_display = ["isin", "mic", "register", "status", "full_name", "valid_from", "source_file"]
    list_select_related = ["source_file"]
    searched_codes = ("isin",)
    search_help_text = "An ISIN"


@admin.register(Listing)
class ListingAdmin(RecordAdmin):
    pass


@admin.register(ListingVersion)
class ListingVersionAdmin(RecordAdmin):
    list_display = [*RecordAdmin.list_display[:-1], "valid_to", "source_file"]


@admin.register(Underlying)
class UnderlyingAdmin(ReadOnlyAdmin):
    list_display = ["code", "instrument_id", "link"]
    searched_codes = ("code",)
    search_help_text = "ISIN, or LEI of an issuer"


@admin.register(Venue)
class VenueAdmin(ReadOnlyAdmin):
    show_facets = admin.ShowFacets.ALLOW
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
    searched_codes = ("mic",)


class ResultAdmin(ReadOnlyAdmin):
    list_filter = ["superseded", "liquid", "subject"]
    list_select_related = ["source_file"]
    _shown = ["classification", "subject", "reported_period_from", "reported_period_to", "liquid"]


@admin.register(TransparencyResult)
class TransparencyResultAdmin(ResultAdmin):
    list_display = ["isin", "methodology", *ResultAdmin._shown, "superseded", "source_file"]
    searched_codes = ("isin",)
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
    list_display = [
        "isin",
        "reported_period_from",
        "reported_period_to",
        "percentage",
        "total_volume",
        "last_updated_on",
        "superseded",
        "source_file",
    ]
    list_filter = ["superseded"]
    list_select_related = ["source_file"]
    searched_codes = ("isin",)
    search_help_text = "An ISIN"
    ordering = ["isin", "pk"]
    sortable_by = ["isin", "reported_period_to", "last_updated_on"]  # SQLite keeps decimals as text
    inlines = [VolumeCapVenueInline]
