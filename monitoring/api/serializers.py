from typing import Any

from rest_framework import serializers


class CategoryCountSerializer(serializers.Serializer[Any]):
    category = serializers.CharField(help_text="First letter of the CFI code.")
    name = serializers.CharField(help_text="Name of the category in ISO 10962.")
    status = serializers.CharField(help_text="Status of the instruments.")
    instruments = serializers.IntegerField()


class RegisterCountSerializer(serializers.Serializer[Any]):
    register = serializers.CharField(help_text="ESMA or FCA.")
    name = serializers.CharField()
    instruments = serializers.IntegerField(
        help_text="Instruments with a listing in this register, of any status."
    )
    listings = serializers.IntegerField()


class CoverageCountSerializer(serializers.Serializer[Any]):
    """Instruments of one category of which a source has data, as counted by night."""

    category = serializers.CharField(help_text="First letter of the CFI code.")
    name = serializers.CharField(help_text="Name of the category in ISO 10962.")
    source = serializers.ChoiceField(  # type: ignore[assignment]  # the field of the body, not DRF's
        choices=["entity", "isin_lei", "issuer_difference", "figi", "transparency"],
        help_text="entity: GLEIF's record of the published issuer; isin_lei: GLEIF's ISIN-LEI file;"
        " issuer_difference: that file has another LEI than the published issuer's; figi: current FIGIs;"
        " transparency: current results.",
    )
    instruments = serializers.IntegerField(help_text="Instruments of the category, of any status.")
    covered = serializers.IntegerField(help_text="Those of which the source has data.")
    counted_at = serializers.DateTimeField(help_text="Time of the count.")


class FileCountSerializer(serializers.Serializer[Any]):
    dataset = serializers.CharField(help_text="Dataset that the files belong to.")
    kind = serializers.CharField(help_text="File kind, such as FULINS.")
    state = serializers.CharField(help_text="State of the files.")
    files = serializers.IntegerField()
    first_day = serializers.DateField(help_text="Earliest publication day.")
    last_day = serializers.DateField(help_text="Latest publication day.")


class StatsSerializer(serializers.Serializer[Any]):
    """Statistics of the database."""

    instruments = serializers.IntegerField()
    listings = serializers.IntegerField(
        help_text="Latest records: one per instrument, venue and register."
    )
    versions = serializers.IntegerField(help_text="Superseded records.")
    venues = serializers.IntegerField(help_text="Rows of the ISO 10383 list.")
    transparency_results = serializers.IntegerField(
        help_text="Results by ISIN, including superseded ones."
    )
    subclass_results = serializers.IntegerField(
        help_text="Results by sub-class, including superseded ones."
    )
    volume_cap_results = serializers.IntegerField(
        help_text="Volume cap results, including superseded ones."
    )
    rejected_records = serializers.IntegerField(help_text="Records with an invalid value.")
    registers = RegisterCountSerializer(many=True)
    categories = CategoryCountSerializer(many=True)
    coverage = CoverageCountSerializer(many=True)
    files = FileCountSerializer(many=True)
    last_loaded = serializers.DateField(
        allow_null=True, help_text="Publication day of the newest loaded file."
    )
    data_version = serializers.IntegerField(
        help_text="Number of the last transaction that changed listings; the counts are those after it."
    )
    data_changed_at = serializers.DateTimeField(
        allow_null=True, help_text="Time of that transaction; null in an empty database."
    )
    database = serializers.CharField(help_text="Database system: sqlite or microsoft.")
    database_bytes = serializers.IntegerField(
        allow_null=True, help_text="Size on disk; null where the database does not report it."
    )


class CheckResultSerializer(serializers.Serializer[Any]):
    """The result of a health check."""

    name = serializers.CharField()
    status = serializers.ChoiceField(choices=["ok", "warning", "failed", "unknown"])
    reason = serializers.CharField(allow_blank=True, help_text="What was found.")
    milliseconds = serializers.FloatField(help_text="Duration of the check.")
    since = serializers.DateTimeField(
        allow_null=True, help_text="Time since which the status is the same; null if not recorded."
    )


class HealthSerializer(serializers.Serializer[Any]):
    """Health of the service. `commit` and `checks` are empty without the permission to see them."""

    status = serializers.ChoiceField(
        choices=["healthy", "degraded", "unhealthy"],
        help_text="degraded: something needs attention; unhealthy: a part of the service has failed.",
    )
    timestamp = serializers.DateTimeField()
    version = serializers.CharField()
    commit = serializers.CharField(allow_blank=True)
    checks = CheckResultSerializer(many=True)


_SERVICE_STATES = ["connected", "unavailable", "unknown"]


class ServiceStatesSerializer(serializers.Serializer[Any]):
    database = serializers.ChoiceField(choices=_SERVICE_STATES)
    openfigi = serializers.ChoiceField(choices=_SERVICE_STATES)
    gleif = serializers.ChoiceField(choices=_SERVICE_STATES)
    storage = serializers.ChoiceField(choices=_SERVICE_STATES)


class ServicesHealthSerializer(serializers.Serializer[Any]):
    """Health of the service in brief."""

    status = serializers.ChoiceField(choices=["healthy", "unhealthy"])
    timestamp = serializers.DateTimeField()
    services = ServiceStatesSerializer()
    version = serializers.CharField()
