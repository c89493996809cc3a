from typing import Any

from rest_framework import serializers

from esma_files.datasets import Dataset
from esma_files.models import EsmaFile, Run


class EsmaFileSerializer(serializers.ModelSerializer[EsmaFile]):
    """A file that a register has published, and how far it has got."""

    class Meta:
        model = EsmaFile
        fields = [
            "id",
            "name",
            "dataset",
            "kind",
            "category",
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
    """Something that was asked for, how far it is, and what came of it."""

    file = serializers.SlugRelatedField[EsmaFile](slug_field="name", read_only=True)

    class Meta:
        model = Run
        fields = [
            "id",
            "kind",
            "file",
            "arguments",
            "requested_by",
            "requested_at",
            "state",
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
            "late",
            "unchanged",
            "rejected",
            "outside",
            "unmapped",
            "report",
            "problem",
        ]
        read_only_fields = fields


class EsmaFileDetailSerializer(EsmaFileSerializer):
    """With the other files of its name, and what was done with it."""

    revisions = serializers.SerializerMethodField(
        help_text="ids of all files of this name and dataset"
    )
    runs = serializers.SerializerMethodField(help_text="the last ten")

    class Meta(EsmaFileSerializer.Meta):
        fields = [*EsmaFileSerializer.Meta.fields, "revisions", "runs"]
        read_only_fields = fields

    def get_revisions(self, file: EsmaFile) -> list[int]:
        return list(
            EsmaFile.objects.named(file.name, dataset=file.dataset).values_list("pk", flat=True)
        )

    def get_runs(self, file: EsmaFile) -> list[dict[str, Any]]:
        runs = file.runs.select_related("file")[:10]
        return [dict(run) for run in RunSerializer(runs, many=True).data]


class GapSerializer(serializers.Serializer[Any]):
    """Something that a register should have published, and that is not there."""

    dataset = serializers.CharField()
    kind = serializers.CharField()
    category = serializers.CharField()
    day = serializers.DateField()
    until = serializers.DateField()
    count = serializers.IntegerField(help_text="publications, or parts, that are missing")
    missing_parts = serializers.ListField(child=serializers.IntegerField())
    parts = serializers.IntegerField(help_text="of the set; 0 where all of it is missing")


class KeepSerializer(serializers.Serializer[Any]):
    kept = serializers.BooleanField(default=True, help_text="false takes the mark away")


class SyncSerializer(serializers.Serializer[Any]):
    dataset = serializers.ChoiceField(choices=Dataset.choices)
    since = serializers.DateField(required=False, help_text="two weeks ago where it is left out")


class ShareSerializer(serializers.Serializer[Any]):
    container = serializers.CharField(help_text="folder, or container of Blob Storage")
    dataset = serializers.CharField()
    kind = serializers.CharField()
    tier = serializers.CharField(help_text="hot, cool or archive; local for a folder")
    age = serializers.CharField(help_text="days since publication")
    files = serializers.IntegerField()
    bytes = serializers.IntegerField()
    monthly_cost = serializers.DecimalField(
        max_digits=12, decimal_places=6, help_text="US dollars a month"
    )


class UsageSerializer(serializers.Serializer[Any]):
    """What is stored, beside the budget."""

    location = serializers.CharField(help_text="where new files go")
    files = serializers.IntegerField()
    bytes = serializers.IntegerField()
    budget_bytes = serializers.IntegerField()
    percent = serializers.FloatField(help_text="of the budget")
    monthly_cost = serializers.DecimalField(
        max_digits=12, decimal_places=6, help_text="US dollars a month"
    )
    warning = serializers.CharField(help_text="empty while there is room")
    shares = ShareSerializer(many=True)


class ActionSerializer(serializers.Serializer[Any]):
    """What the retention policy asks for, for one file."""

    file = serializers.CharField(source="file.name")
    verb = serializers.ChoiceField(choices=["cool", "archive", "compress", "delete", "leave"])
    bytes = serializers.IntegerField(source="file.size")
    reason = serializers.CharField()
