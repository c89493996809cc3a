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
    files = FileCountSerializer(many=True)
    last_loaded = serializers.DateField(
        allow_null=True, help_text="Publication day of the newest loaded file."
    )
    database = serializers.CharField(help_text="Database system: sqlite or microsoft.")
    database_bytes = serializers.IntegerField(
        allow_null=True, help_text="Size on disk; null where the database does not report it."
    )
