from typing import Any

from rest_framework import serializers


class CategoryCountSerializer(serializers.Serializer[Any]):
    category = serializers.CharField(help_text="first letter of the CFI code")
    name = serializers.CharField()
    status = serializers.CharField()
    instruments = serializers.IntegerField()


class RegisterCountSerializer(serializers.Serializer[Any]):
    register = serializers.CharField()
    name = serializers.CharField()
    instruments = serializers.IntegerField(help_text="with a listing in it, of any status")
    listings = serializers.IntegerField()


class FileCountSerializer(serializers.Serializer[Any]):
    dataset = serializers.CharField()
    kind = serializers.CharField()
    state = serializers.CharField()
    files = serializers.IntegerField()
    first_day = serializers.DateField()
    last_day = serializers.DateField()


class StatsSerializer(serializers.Serializer[Any]):
    """What is in the database."""

    instruments = serializers.IntegerField()
    listings = serializers.IntegerField(help_text="latest records, one an instrument and venue")
    versions = serializers.IntegerField(help_text="records that later ones have superseded")
    venues = serializers.IntegerField(help_text="rows of the ISO 10383 list")
    transparency_results = serializers.IntegerField(help_text="by ISIN, superseded ones included")
    subclass_results = serializers.IntegerField(help_text="by sub-class, superseded ones included")
    volume_cap_results = serializers.IntegerField(help_text="superseded ones included")
    rejected_records = serializers.IntegerField()
    registers = RegisterCountSerializer(many=True)
    categories = CategoryCountSerializer(many=True)
    files = FileCountSerializer(many=True)
    last_loaded = serializers.DateField(allow_null=True, help_text="day of the newest loaded file")
    database = serializers.CharField()
    database_bytes = serializers.IntegerField(allow_null=True)
