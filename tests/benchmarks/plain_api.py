"""The API that one writes first: nested ModelSerializers in a ModelViewSet. Kept to compare with.

It gives the same JSON for a list and for one instrument, without sign-in, permissions, limits, filters
and cache.
"""

import datetime as dt
from typing import Any

from rest_framework import serializers, viewsets
from rest_framework.pagination import PageNumberPagination

from instruments.classification.descriptions import describe_classification
from instruments.listings import issuers, status
from instruments.listings.categories import describe_terms
from instruments.listings.descriptions import _describe_issuer_by_gleif, describe_issuer
from instruments.listings.history import get_basis
from instruments.listings.terms import Terms
from instruments.models import Instrument, Listing, ListingRecord, Venue


class PlainPages(PageNumberPagination):
    page_size_query_param = "per_page"


class PlainInstrumentSerializer(serializers.ModelSerializer[Instrument]):
    """An instrument in a list."""

    category = serializers.CharField()
    issuer_lei = serializers.SerializerMethodField()
    operator_lei = serializers.SerializerMethodField()
    effective_status = serializers.SerializerMethodField()
    corrections = serializers.ReadOnlyField(default=list)  # the benchmark has none

    class Meta:
        model = Instrument
        fields: tuple[str, ...] = (
            *("isin", "full_name", "short_name", "cfi_code", "category", "notional_currency"),
            *("issuer_lei", "operator_lei", "status", "effective_status", "mic", "register"),
            *("listing_count", "eu_listings", "uk_listings", "corrections"),
        )

    def _is_operator(self, instrument: Instrument) -> bool:
        return instrument.issuer_lei in self.context["operators"]

    def get_issuer_lei(self, instrument: Instrument) -> str:
        return "" if self._is_operator(instrument) else instrument.issuer_lei

    def get_operator_lei(self, instrument: Instrument) -> str:
        return instrument.issuer_lei if self._is_operator(instrument) else ""

    def get_effective_status(self, instrument: Instrument) -> str:
        return str(
            status.get_effective_status_of_all(
                instrument.listings, instrument.authoritative, status.today()
            )
        )


class _VenueSerializer(serializers.Serializer[Any]):
    mic = serializers.CharField()
    venue_name = serializers.CharField(default=None)
    register = serializers.CharField()


class _ProvenanceSerializer(serializers.ModelSerializer[ListingRecord]):
    basis = serializers.SerializerMethodField()
    rule = serializers.SerializerMethodField()
    source_file = serializers.CharField(source="source_file.name")
    published_on = serializers.DateField(source="source_file.published_on")

    def get_basis(self, record: ListingRecord) -> str:
        return get_basis(record).value

    def get_rule(self, record: ListingRecord) -> str:
        return get_basis(record).rule


class _PlainListingSerializer(_ProvenanceSerializer):
    venue_name = serializers.CharField()
    effective_status = serializers.SerializerMethodField()
    dropped_by = serializers.CharField(source="dropped_by.name", default=None)

    class Meta:
        model = Listing
        fields = (
            *("mic", "venue_name", "register", "status", "effective_status", "full_name"),
            *("short_name", "issuer_requested", "admission_approved_at"),
            *("admission_requested_at", "first_trade_at", "terminated_at", "valid_from"),
            *("competent_authority", "relevant_venue", "never_published", "record_kind", "basis"),
            *("rule", "source_file", "source_position", "published_on", "dropped_by"),
        )

    def get_effective_status(self, listing: Listing) -> str:
        return str(status.get_effective_status(listing, status.today()))


class PlainDetailSerializer(PlainInstrumentSerializer):
    """An instrument with its classification, its terms and all its listings."""

    as_of = serializers.ReadOnlyField(default=None)
    known_on = serializers.ReadOnlyField(default=None)
    basis = serializers.SerializerMethodField()
    rule = serializers.SerializerMethodField()
    source_file = serializers.CharField(source="authoritative.source_file.name")
    source_position = serializers.IntegerField(source="authoritative.source_position")
    published_on = serializers.DateField(source="authoritative.source_file.published_on")
    reference_listing = _VenueSerializer(source="authoritative")
    most_relevant_market = serializers.SerializerMethodField()
    issuer_requested_listings = serializers.SerializerMethodField()
    issuer = serializers.SerializerMethodField()
    issuer_by_gleif = serializers.SerializerMethodField()
    classification = serializers.SerializerMethodField()
    terms = serializers.SerializerMethodField()
    listings = _PlainListingSerializer(many=True)

    class Meta(PlainInstrumentSerializer.Meta):
        fields: tuple[str, ...] = (
            *PlainInstrumentSerializer.Meta.fields,
            *("as_of", "known_on", "basis", "rule", "source_file", "source_position"),
            *("published_on", "reference_listing", "most_relevant_market"),
            *(
                "issuer_requested_listings",
                "issuer",
                "issuer_by_gleif",
                "classification",
                "terms",
                "listings",
            ),
        )

    def _is_operator(self, instrument: Instrument) -> bool:
        return self._issuer(instrument).is_venue_operator

    def _issuer(self, instrument: Instrument) -> issuers.Issuer:
        if not hasattr(instrument, "issuer_read"):
            instrument.issuer_read = issuers.read_issuer(instrument.issuer_lei)  # type: ignore[attr-defined]
        return instrument.issuer_read  # type: ignore[attr-defined,no-any-return]

    def get_basis(self, instrument: Instrument) -> str:
        return get_basis(instrument.authoritative).value

    def get_rule(self, instrument: Instrument) -> str:
        return get_basis(instrument.authoritative).rule

    def get_most_relevant_market(self, instrument: Instrument) -> Any:
        for record in (instrument.authoritative, *instrument.listings):
            if mic := record.relevant_venue:
                listing = next((row for row in instrument.listings if row.mic == mic), None)
                named = listing or Venue.objects.filter(pk=mic).first()
                return {
                    "mic": mic,
                    "venue_name": getattr(named, "venue_name", getattr(named, "name", None)),
                    "register": record.register,
                    "is_listed": listing is not None,
                }
        return None

    def get_issuer_requested_listings(self, instrument: Instrument) -> Any:
        rows = [listing for listing in instrument.listings if listing.issuer_requested]
        return _VenueSerializer(rows, many=True).data

    def get_issuer(self, instrument: Instrument) -> Any:
        return describe_issuer(self._issuer(instrument))

    def get_issuer_by_gleif(self, instrument: Instrument) -> Any:
        return _describe_issuer_by_gleif(instrument, self._issuer(instrument))

    def get_classification(self, instrument: Instrument) -> Any:
        decoded = instrument.classification
        return None if decoded is None else describe_classification(decoded)

    def get_terms(self, instrument: Instrument) -> Any:
        terms = Terms(instrument.authoritative, instrument.category, _today())
        return describe_terms(terms)


def _today() -> dt.date:
    return status.today()


class PlainViewSet(viewsets.ReadOnlyModelViewSet[Instrument]):
    """Instruments, without anything beside their serializers."""

    queryset = Instrument.objects.all()
    serializer_class = PlainInstrumentSerializer
    pagination_class = PlainPages
    filter_backends = ()
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    def get_serializer_class(self) -> Any:
        return PlainDetailSerializer if self.action == "retrieve" else PlainInstrumentSerializer

    def paginate_queryset(self, queryset: Any) -> Any:
        """Read the page, and its listings and operators with a query each."""
        page: Any = super().paginate_queryset(queryset)
        by_isin: dict[str, list[Listing]] = {row.isin: [] for row in page}
        for listing in Listing.objects.filter(isin__in=by_isin):
            by_isin[listing.isin].append(listing)
        for row in page:
            row.listings = by_isin[row.isin]
        leis = [row.issuer_lei for row in page]
        venues = Venue.objects.with_known_operator().filter(lei__in=leis)
        self.operators = set(venues.values_list("lei", flat=True))
        return page

    def get_object(self) -> Instrument:
        instrument = super().get_object()
        listings = Listing.objects.of(instrument.isin).with_venues()
        instrument.listings = list(listings.select_related("source_file", "dropped_by"))
        return instrument

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "operators": getattr(self, "operators", set())}
