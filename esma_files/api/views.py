"""Files, runs and storage over HTTP. No request waits for a register: work is queued, and answers 202."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from audit import trail
from esma_files import downloading, gaps, queue, retention, sets, steps, usage
from esma_files.api.filters import EsmaFileFilterSet, RunFilterSet
from esma_files.api.serializers import (
    ActionSerializer,
    EsmaFileDetailSerializer,
    EsmaFileSerializer,
    GapSerializer,
    KeepSerializer,
    RunSerializer,
    SyncSerializer,
    UsageSerializer,
)
from esma_files.models import EsmaFile, Run
from marketdata.api.problems import Conflict, documented
from marketdata.common.access import holding, reading

_NAME = OpenApiParameter(
    "name",
    str,
    OpenApiParameter.PATH,
    description="Name of the file, for its newest revision, or the id of one",
)
_READING = documented(
    {
        404: "There is none.",
    }
)
_DOING: dict[Any, Any] = {
    202: RunSerializer,
    **documented(
        {
            404: "No such file.",
            409: "The file is not in a state for it.",
        }
    ),
}


@extend_schema_view(
    list=extend_schema(
        summary="List and filter files", responses={200: EsmaFileSerializer(many=True), **_READING}
    ),
    retrieve=extend_schema(
        summary="One file, with its revisions and last runs",
        parameters=[_NAME],
        responses={200: EsmaFileDetailSerializer, **_READING},
    ),
)
class EsmaFileViewSet(viewsets.ReadOnlyModelViewSet[EsmaFile]):
    """Files that the registers have published, and how far each has got."""

    title = "Files"
    needs = {
        **dict.fromkeys(("list", "retrieve", "gaps"), reading("esma_files.view_esmafile")),
        "download": holding("esma_files.download_esmafile", costly=True),
        "sync": holding("esma_files.download_esmafile", costly=True),
        "load": holding("esma_files.load_esmafile", sensitive=True, costly=True),
        "retry": holding("esma_files.load_esmafile", sensitive=True, costly=True),
        "keep": holding("esma_files.keep_esmafile"),
        "delete_set": holding("esma_files.delete_esmafile", sensitive=True),
    }
    queryset = EsmaFile.objects.order_by("-published_on", "name", "-revision")
    serializer_class = EsmaFileSerializer
    filterset_class = EsmaFileFilterSet
    lookup_field = "name"
    lookup_value_regex = "[^/]+"

    def get_object(self) -> EsmaFile:
        """By id, or by name: the newest revision, ESMA's before the FCA's."""
        key: str = self.kwargs["name"]
        if key.isascii() and key.isdigit():
            found = EsmaFile.objects.filter(pk=min(int(key), 2**63 - 1)).first()
        else:
            found = EsmaFile.objects.named(f"{key.removesuffix('.zip')}.zip").first()
        if found is None:
            raise exceptions.NotFound(f"No file {key} is known; sync_register lists what there is.")
        return found

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response(EsmaFileDetailSerializer(self.get_object()).data)

    @extend_schema(summary="Fetch the file", parameters=[_NAME], request=None, responses=_DOING)
    @action(detail=True, methods=["post"])
    def download(self, request: Request, name: str) -> Response:
        """Where it is stored already it is fetched once more: other bytes become a new revision."""
        file = self.get_object()
        if not file.url:
            raise Conflict(f"No register has listed {file.name}, so there is no address.")
        return self._queued(request, Run.Kind.DOWNLOAD, downloading.once_more(file))

    @extend_schema(summary="Load the file", parameters=[_NAME], request=None, responses=_DOING)
    @action(detail=True, methods=["post"])
    def load(self, request: Request, name: str) -> Response:
        """A file that is loaded is read again, which changes nothing."""
        file = self.get_object()
        if not file.has_content:
            raise Conflict(f"{file.name} is {file.state}: download it first.")
        return self._queued(request, Run.Kind.LOAD, file)

    @extend_schema(
        summary="Try a failed file again", parameters=[_NAME], request=None, responses=_DOING
    )
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, name: str) -> Response:
        """Goes on where it failed: with the download, or with the load."""
        file = self.get_object()
        if not EsmaFile.objects.filter(pk=file.pk).retry():
            raise Conflict(f"{file.name} is {file.state}, and only what has failed is tried again.")
        return self._queued(request, Run.Kind.LOAD if file.has_content else Run.Kind.DOWNLOAD, file)

    @extend_schema(
        summary="Exempt the file from the retention policy",
        parameters=[_NAME],
        request=KeepSerializer,
        responses=_DOING,
    )
    @action(detail=True, methods=["post"])
    def keep(self, request: Request, name: str) -> Response:
        file = self.get_object()
        wanted = KeepSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        kept = wanted.validated_data["kept"]
        old, new = {"kept": file.kept}, {"kept": kept}
        trail.record("file.keep", request=request, about=file, old=old, new=new)
        return _accepted(
            request, steps.keep(file, kept=kept, requested_by=request.user.get_username())
        )

    @extend_schema(
        summary="Delete the bytes of the file's set",
        parameters=[_NAME],
        request=None,
        responses=_DOING,
    )
    @action(detail=True, methods=["post"], url_path="delete", url_name="delete")
    def delete_set(self, request: Request, name: str) -> Response:
        """All parts of the set, or none. The rows, and what was loaded, stay."""
        file = self.get_object()
        whole = retention.set_of(sets.SetKey.of(file))
        if why_not := retention.hindrance(whole):
            raise Conflict(f"{whole.key} cannot be deleted: {why_not}.")
        return self._queued(request, Run.Kind.DELETE, file)

    def _queued(self, request: Request, kind: str, file: EsmaFile) -> Response:
        trail.record(f"file.{kind}", request=request, about=file)
        return _accepted(
            request, queue.request_run(kind, file=file, requested_by=request.user.get_username())
        )

    @extend_schema(
        summary="What the registers should have published, and is not there",
        responses={200: GapSerializer(many=True), **_READING},
        filters=False,
    )
    @action(detail=False, filterset_class=None)
    def gaps(self, request: Request) -> Response:
        page = self.paginate_queryset(gaps.find())
        return self.get_paginated_response(GapSerializer(page, many=True).data)

    @extend_schema(
        summary="Ask a register what it has published", request=SyncSerializer, responses=_DOING
    )
    @action(detail=False, methods=["post"])
    def sync(self, request: Request) -> Response:
        wanted = SyncSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        arguments = {name: str(value) for name, value in wanted.validated_data.items()}
        by = request.user.get_username()
        trail.record("register.sync", request=request, about=arguments["dataset"], new=arguments)
        return _accepted(
            request, queue.request_run(Run.Kind.SYNC, requested_by=by, arguments=arguments)
        )


def _accepted(request: Request, run: Run) -> Response:
    run.refresh_from_db()
    where = reverse("run-detail", args=[run.pk], request=request)
    return Response(RunSerializer(run).data, status=202, headers={"Location": where})


@extend_schema_view(
    list=extend_schema(
        summary="List and filter runs", responses={200: RunSerializer(many=True), **_READING}
    ),
    retrieve=extend_schema(
        summary="One run: how far it is, and what came of it",
        responses={200: RunSerializer, **_READING},
    ),
)
class RunViewSet(viewsets.ReadOnlyModelViewSet[Run]):
    """What was asked for: syncs, downloads, loads, clean-ups."""

    title = "Runs"
    needs = dict.fromkeys(("list", "retrieve"), reading("esma_files.view_run"))
    queryset: QuerySet[Run] = Run.objects.select_related("file")
    serializer_class = RunSerializer
    filterset_class = RunFilterSet
    lookup_value_regex = "[0-9]{1,18}"


class StorageView(APIView):
    """What is stored, by dataset, kind, tier and age, beside the budget, with its cost."""

    needs = {"GET": reading("esma_files.view_esmafile")}

    @extend_schema(summary="What is stored", responses={200: UsageSerializer, **_READING})
    def get(self, request: Request) -> Response:
        return Response(UsageSerializer(usage.collect()).data)


class RetentionView(APIView):
    """What the next clean-up would do, with every file and the reason."""

    needs = {
        "GET": reading("esma_files.view_esmafile"),
        "POST": holding("esma_files.delete_esmafile", sensitive=True, costly=True),
    }

    @extend_schema(
        summary="What a clean-up would do", responses={200: ActionSerializer(many=True), **_READING}
    )
    def get(self, request: Request) -> Response:
        return Response(ActionSerializer(retention.plan(), many=True).data)

    @extend_schema(
        summary="Clean up",
        request=None,
        responses={202: RunSerializer},
    )
    def post(self, request: Request) -> Response:
        trail.record("storage.clean", request=request)
        return _accepted(
            request, queue.request_run(Run.Kind.CLEAN, requested_by=request.user.get_username())
        )
