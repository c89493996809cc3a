"""Bodies of the API about files, runs and the storage."""

from typing import Any

from django.utils.functional import cached_property
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from esma_files import queue
from esma_files.datasets import Dataset
from esma_files.models import EsmaFile, RejectedRecord, Run
from marketdata.api.parameters import QuerySerializer, StrictSerializer
from marketdata.common.access import may_see_user_name

_TIERS = ["", *EsmaFile.Tier.values]
_COST: dict[str, Any] = {"max_digits": 12, "decimal_places": 6, "help_text": "US dollars a month"}


class EsmaFileSerializer(serializers.ModelSerializer[EsmaFile]):
    """A file that a register has published, and its state."""

    tier = serializers.ChoiceField(
        choices=_TIERS, read_only=True, help_text="access tier of Blob Storage; empty elsewhere"
    )

    class Meta:
        model = EsmaFile
        fields = [
            "id",
            "name",
            "dataset",
            "kind",
            "category",
            "result_group",
            "published_on",
            "part",
            "parts",
            "revision",
            "md5",
            "url",
            "listed_at",
            "state",
            "state_since",
            "problem",
            "attempts",
            "not_before",
            "location",
            "tier",
            "size",
            "stored_at",
            "loaded_at",
            "kept",
        ]
        read_only_fields = fields


class RunSerializer(serializers.ModelSerializer[Run]):
    """A piece of work that was requested, its progress and its result."""

    file = serializers.SlugRelatedField[EsmaFile](
        slug_field="name",
        read_only=True,
        allow_null=True,
        help_text="null where it is about no single file",
    )
    arguments = serializers.DictField(read_only=True)
    obstacle = serializers.SerializerMethodField(
        help_text="reason why no worker can take a queued run; empty if there is none"
    )
    requested_by = serializers.SerializerMethodField(
        help_text="User name; empty if requested by the schedule, null if you may not see it"
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
        fields = [
            "id",
            "kind",
            "file",
            "arguments",
            "requested_by",
            "requested_at",
            "attempt",
            "state",
            "obstacle",
            "started_at",
            "ended_at",
            "seconds",
            "share",
            "done",
            "unit",
            "read",
            "new",
            "changed",
            "ended",
            "dropped",
            "late",
            "unchanged",
            "rejected",
            "outside",
            "unmapped",
            "report",
            "problem",
        ]
        read_only_fields = fields

    def get_requested_by(self, run: Run) -> str | None:
        """Return the name, null if the caller may not see it. A command, without a request, may."""
        request = self.context.get("request")
        if request is None or not run.requested_by:
            return run.requested_by
        return run.requested_by if may_see_user_name(request.user, run.requested_by) else None

    def get_obstacle(self, run: Run) -> str:
        if run.state != Run.State.QUEUED:
            return ""
        return queue.obstacle(run, is_worked=self._has_worker)

    @cached_property
    def _has_worker(self) -> bool:
        """One query for all runs of a list, which share this serializer."""
        return queue.has_worker()


class EsmaFileDetailSerializer(EsmaFileSerializer):
    """A file, the other revisions of its name, and its last runs."""

    revisions = serializers.SerializerMethodField(
        help_text="ids of all files of this name and dataset, the newest first"
    )
    runs = serializers.SerializerMethodField(help_text="the last ten")

    class Meta(EsmaFileSerializer.Meta):
        fields = [*EsmaFileSerializer.Meta.fields, "revisions", "runs"]
        read_only_fields = fields

    def get_revisions(self, file: EsmaFile) -> list[int]:
        same_name = EsmaFile.objects.named(file.name, dataset=file.dataset)
        return list(same_name.values_list("pk", flat=True))

    @extend_schema_field(RunSerializer(many=True))
    def get_runs(self, file: EsmaFile) -> list[dict[str, Any]]:
        runs = file.runs.select_related("file")[:10]
        return [dict(run) for run in RunSerializer(runs, many=True).data]


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
        fields = [
            "id",
            "file",
            "dataset",
            "position",
            "isin",
            "mic",
            "field",
            "value",
            "reason",
            "record",
        ]
        read_only_fields = fields
