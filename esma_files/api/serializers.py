"""Serializers of files, runs and the storage.

They document the dictionaries of `esma_files.descriptions` for OpenAPI, and present objects by those
functions.
"""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from esma_files import descriptions
from esma_files.datasets import Dataset
from esma_files.models import EsmaFile, RejectedRecord, Run
from marketdata.api.parameters import QuerySerializer, StrictSerializer

_TIERS = ["", *EsmaFile.Tier.values]
_COST: dict[str, Any] = {"max_digits": 12, "decimal_places": 6, "help_text": "US dollars a month"}


class EsmaFileSerializer(serializers.ModelSerializer[EsmaFile]):
    """A file that a register has published, and its state."""

    tier = serializers.ChoiceField(
        choices=_TIERS, read_only=True, help_text="access tier of Blob Storage; empty elsewhere"
    )

    class Meta:
        model = EsmaFile
        fields: tuple[str, ...] = descriptions.FILE_COLUMNS
        read_only_fields = fields

    def to_representation(self, instance: EsmaFile) -> Any:
        return descriptions.describe_file(instance)


class _RunListSerializer(serializers.ListSerializer[Any]):
    """Presents the runs of a page together, so that the number of queries is fixed."""

    def to_representation(self, data: Any) -> Any:
        return descriptions.describe_runs(data, user=_get_reader(self.context))


def _get_reader(context: Mapping[str, Any]) -> Any:
    request = context.get("request")
    return None if request is None else request.user


class RunSerializer(serializers.ModelSerializer[Run]):
    """A piece of work that was requested, its progress and its result."""

    file = serializers.SlugRelatedField[EsmaFile](
        slug_field="name",
        read_only=True,
        allow_null=True,
        help_text="null where it is about no single file",
    )
    arguments = serializers.DictField(read_only=True)
    obstacle = serializers.CharField(
        read_only=True,
        help_text="reason why no worker can take a queued run; empty if there is none",
    )
    requested_by = serializers.CharField(
        read_only=True,
        allow_null=True,
        help_text="User name; empty if requested by the schedule, null if you may not see it",
    )
    unmapped = serializers.DictField(
        child=serializers.IntegerField(),
        read_only=True,
        help_text="elements without a field, with their number",
    )
    report = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="further messages"
    )

    class Meta:
        model = Run
        list_serializer_class = _RunListSerializer
        fields = descriptions.RUN_COLUMNS
        read_only_fields = fields

    def to_representation(self, instance: Run) -> Any:
        return descriptions.describe_runs([instance], user=_get_reader(self.context))[0]


class EsmaFileDetailSerializer(EsmaFileSerializer):
    """A file, the other revisions of its name, and its last runs."""

    revisions = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="ids of all files of this name and dataset, the newest first",
    )
    runs = RunSerializer(many=True, help_text="the last ten")

    class Meta(EsmaFileSerializer.Meta):
        fields = (*EsmaFileSerializer.Meta.fields, "revisions", "runs")
        read_only_fields = fields

    def to_representation(self, instance: EsmaFile) -> Any:
        return descriptions.describe_file_details(instance, user=_get_reader(self.context))


class GapSerializer(serializers.Serializer[Any]):
    """A publication of a register that is missing here, or a delta that has to be fetched in time."""

    dataset = serializers.ChoiceField(choices=Dataset.choices)
    kind = serializers.CharField()
    category = serializers.CharField(help_text="CFI category; empty for all")
    result_group = serializers.CharField(
        help_text="group of transparency results by sub-class, or empty"
    )
    day = serializers.DateField()
    until = serializers.DateField()
    count = serializers.IntegerField(help_text="number of publications, or parts, that are missing")
    missing_parts = serializers.ListField(child=serializers.IntegerField())
    parts = serializers.IntegerField(help_text="parts of the set; 0 where all of it is missing")
    is_listed = serializers.BooleanField(help_text="listed by the register, and not fetched")
    warning = serializers.CharField(
        help_text="whether a delta is about to leave, or has left, the register; empty otherwise"
    )


class DatasetQuerySerializer(QuerySerializer):
    dataset = serializers.ChoiceField(
        choices=Dataset.choices,
        required=False,
        help_text="Dataset of the file: ESMA and the FCA use the same names. ESMA's by default",
    )


class KeepSerializer(StrictSerializer):
    kept = serializers.BooleanField(default=True, help_text="false removes the mark")


class SyncSerializer(StrictSerializer):
    dataset = serializers.ChoiceField(choices=Dataset.choices)
    since = serializers.DateField(required=False, help_text="first day; two weeks ago by default")


class ShareSerializer(serializers.Serializer[Any]):
    """The stored files of one dataset, kind, tier and age."""

    container = serializers.CharField(help_text="folder, or container of Blob Storage")
    dataset = serializers.ChoiceField(choices=Dataset.choices)
    kind = serializers.CharField()
    tier = serializers.CharField(help_text="hot, cool or archive; local for a folder")
    age = serializers.CharField(help_text="days since publication")
    files = serializers.IntegerField()
    bytes = serializers.IntegerField()
    monthly_cost = serializers.DecimalField(**_COST)


class UsageSerializer(serializers.Serializer[Any]):
    """All stored files, and the budget."""

    location = serializers.CharField(help_text="storage for new files")
    files = serializers.IntegerField()
    bytes = serializers.IntegerField()
    budget_bytes = serializers.IntegerField()
    percent = serializers.FloatField(help_text="of the budget")
    monthly_cost = serializers.DecimalField(**_COST)
    warning = serializers.CharField(help_text="empty while there is room")
    shares = ShareSerializer(many=True)


class ActionSerializer(serializers.Serializer[Any]):
    """The action of the retention policy for one file."""

    file = serializers.CharField(source="file.name")
    verb = serializers.ChoiceField(choices=["cool", "archive", "compress", "delete", "leave"])
    bytes = serializers.IntegerField(source="file.size")
    reason = serializers.CharField()


class RejectedRecordSerializer(serializers.ModelSerializer[RejectedRecord]):
    """An invalid value of a record, and the record, which was not loaded."""

    file = serializers.SlugRelatedField[EsmaFile](slug_field="name", read_only=True)
    dataset = serializers.CharField(source="file.dataset", read_only=True)
    record = serializers.DictField(
        read_only=True,
        help_text="the record as published: element path to text, or to a list where elements repeat;"
        " long texts are cut, with their length and SHA-256",
    )

    class Meta:
        model = RejectedRecord
        fields = descriptions.REJECT_COLUMNS
        read_only_fields = fields

    def to_representation(self, instance: RejectedRecord) -> Any:
        return descriptions.describe_reject(instance)
