"""Files, runs and storage over HTTP. No request waits for a register: work is queued, with the answer 202."""

from typing import TYPE_CHECKING, Any, cast

from django.db.models import QuerySet
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import exceptions, viewsets
from rest_framework.decorators import action
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from audit import trail
from esma_files import descriptions, file_requests, gaps, queue, retention, usage
from esma_files.api.serializers import (
    ActionSerializer,
    DatasetQuerySerializer,
    EsmaFileDetailSerializer,
    EsmaFileSerializer,
    GapSerializer,
    KeepSerializer,
    RejectedRecordSerializer,
    RunSerializer,
    SyncSerializer,
    UsageSerializer,
)
from esma_files.filters import EsmaFileFilterSet, RejectedRecordFilterSet, RunFilterSet
from esma_files.models import EsmaFile, RejectedRecord, Run
from marketdata.api.openapi import path_parameter
from marketdata.api.problems import Conflict, documented
from marketdata.api.views import ApiView
from marketdata.web.access import holding, reading

if TYPE_CHECKING:  # slow to import, and only needed where it is configured
    from esma_files.storage.blob import BlobStorage

# For how long a link to Blob Storage can be used: a download that has begun goes on.
_LINK_SECONDS = 300
_NAME = path_parameter(
    "name", "Name of a file, for its newest revision, or its id", pattern="^[^/]+$", maxLength=104
)
_REQUESTED: dict[Any, Any] = {202: RunSerializer}
_REQUESTED_OF_ONE: dict[Any, Any] = {
    **_REQUESTED,
    **documented({409: "The state of the file does not allow it."}),
}


@extend_schema_view(
    list=extend_schema(
        summary="List and filter files", responses={200: EsmaFileSerializer(many=True)}
    ),
    retrieve=extend_schema(
        summary="Get a file with its revisions and last runs",
        parameters=[_NAME],
        responses={200: EsmaFileDetailSerializer},
    ),
)
class EsmaFileViewSet(ApiView, viewsets.ReadOnlyModelViewSet[EsmaFile]):
    """Files that the registers have published, and the state of each."""

    title = "Files"
    needs = {
        **dict.fromkeys(("list", "retrieve"), reading("esma_files.view_esmafile")),
        "gaps": reading("esma_files.view_esmafile", costly=True),
        "download": holding("esma_files.download_esmafile", costly=True),
        "sync": holding("esma_files.download_esmafile", costly=True),
        "load": holding("esma_files.load_esmafile", sensitive=True, costly=True),
        "retry": holding("esma_files.load_esmafile", sensitive=True, costly=True),
        "release": holding("esma_files.load_esmafile", sensitive=True, costly=True),
        "keep": holding("esma_files.keep_esmafile"),
        "remove": holding("esma_files.delete_esmafile", sensitive=True),
        "content": holding("esma_files.view_esmafile", costly=True),
        "delete_set": holding("esma_files.delete_esmafile", sensitive=True),
    }
    query_serializers = dict.fromkeys(
        (
            "retrieve",
            "download",
            "load",
            "retry",
            "release",
            "keep",
            "delete_set",
            "remove",
            "content",
        ),
        DatasetQuerySerializer,
    )
    queryset = EsmaFile.objects.order_by("-published_on", "name", "-revision")
    serializer_class = EsmaFileSerializer
    filterset_class = EsmaFileFilterSet
    lookup_field = "name"
    lookup_value_regex = "[^/]+"

    def get_object(self) -> EsmaFile:
        """Return the file with this id or name: the newest revision, ESMA's unless a dataset is given."""
        dataset = self.query.get("dataset", "")
        key: str = self.kwargs["name"]
        if key.isascii() and key.isdigit():
            file = EsmaFile.objects.filter(pk=min(int(key), 2**63 - 1)).first()
        else:
            name = f"{key.removesuffix('.zip')}.zip"
            file = EsmaFile.objects.named(name, dataset=dataset).first()
        if file is None:
            raise exceptions.NotFound(f"There is no file {key}; a sync lists new files.")
        return file

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response(descriptions.describe_file_details(self.get_object(), user=request.user))

    @extend_schema(
        summary="Fetch a file",
        parameters=[_NAME],
        request=None,
        responses=_REQUESTED_OF_ONE,
    )
    @action(detail=True, methods=["post"])
    def download(self, request: Request, name: str) -> Response:
        """A file that is stored already is fetched again: other bytes become a new revision."""
        return _accepted(request, file_requests.download(self.get_object(), request=request))

    @extend_schema(
        summary="Load a file",
        parameters=[_NAME],
        request=None,
        responses=_REQUESTED_OF_ONE,
    )
    @action(detail=True, methods=["post"])
    def load(self, request: Request, name: str) -> Response:
        """A file that is loaded already is read again, which changes nothing."""
        return _accepted(request, file_requests.load(self.get_object(), request=request))

    @extend_schema(
        summary="Retry a failed file",
        parameters=[_NAME],
        request=None,
        responses=_REQUESTED_OF_ONE,
    )
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, name: str) -> Response:
        """Continue with the step that failed: the download or the load."""
        return _accepted(request, file_requests.retry(self.get_object(), request=request))

    @extend_schema(
        summary="Release a held file",
        parameters=[_NAME],
        request=None,
        responses=_REQUESTED_OF_ONE,
    )
    @action(detail=True, methods=["post"])
    def release(self, request: Request, name: str) -> Response:
        """Let a file through that the load gate holds, and load it."""
        return _accepted(request, file_requests.release(self.get_object(), request=request))

    @extend_schema(
        summary="Exempt a file from the retention policy",
        parameters=[_NAME],
        request=KeepSerializer,
        responses=_REQUESTED_OF_ONE,
    )
    @action(detail=True, methods=["post"])
    def keep(self, request: Request, name: str) -> Response:
        """Mark a file as kept, or remove the mark."""
        file = self.get_object()
        kept = self.read_body(KeepSerializer)["kept"]
        return _accepted(request, file_requests.keep(file, kept=kept, request=request))

    @extend_schema(
        summary="Delete the bytes of a file's set",
        parameters=[_NAME],
        request=None,
        responses=_REQUESTED_OF_ONE,
    )
    @action(detail=True, methods=["post"], url_path="delete", url_name="delete")
    def delete_set(self, request: Request, name: str) -> Response:
        """Delete all parts of the set, or none. The rows and the loaded records stay."""
        return _accepted(request, file_requests.delete_set(self.get_object(), request=request))

    @extend_schema(
        summary="Remove the bytes of one file",
        parameters=[_NAME],
        request=None,
        responses=_REQUESTED_OF_ONE,
    )
    @action(detail=True, methods=["post"])
    def remove(self, request: Request, name: str) -> Response:
        """Delete the bytes of a bad file, whatever its state and its set. The row and what was loaded stay.

        To replace it, download it again: other bytes become a new revision.
        """
        return _accepted(request, file_requests.remove(self.get_object(), request=request))

    @extend_schema(
        summary="Download the bytes of a file",
        parameters=[_NAME],
        responses={
            (200, "application/zip"): OpenApiResponse(OpenApiTypes.BINARY, "The file"),
            (200, "application/xml"): OpenApiResponse(
                OpenApiTypes.BINARY, "The file, if it is XML"
            ),
            302: OpenApiResponse(
                description="The file is in Blob Storage: a short-lived link to it"
            ),
            **documented({409: "The file is not stored, or is in the Archive tier."}),
        },
        filters=False,
    )
    @action(
        detail=True,
        filterset_class=None,
        pagination_class=None,
        file_types=("application/zip", "application/xml"),
    )
    def content(self, request: Request, name: str) -> HttpResponseBase:
        """The file as it is stored; `md5` is that of the published bytes."""
        file = self.get_object()
        if not file.has_content:
            raise Conflict(f"{file.name} is {file.state}: its bytes are not stored.")
        if file.tier == EsmaFile.Tier.ARCHIVE:
            raise Conflict(f"{file.name} is in the Archive tier: loading it brings it back.")
        filename = file.stored_name.rpartition("/")[2]
        if file.location == EsmaFile.Location.BLOB:
            storage = cast("BlobStorage", file.content.storage)
            link = storage.link(file.stored_name, filename=filename, seconds=_LINK_SECONDS)
            trail.record("file.content", request=request, about=file)
            return HttpResponse(status=302, headers={"Location": link, "Cache-Control": "no-store"})
        content = file.open()
        trail.record("file.content", request=request, about=file)
        content_type = "application/xml" if filename.endswith(".xml") else "application/zip"
        return FileResponse(
            content,
            as_attachment=True,
            filename=filename,
            content_type=content_type,
            headers={"Content-Length": str(file.size)},
        )

    @extend_schema(
        summary="List publications that are missing",
        responses={200: GapSerializer(many=True)},
        filters=False,
    )
    @action(detail=False, filterset_class=None, serializer_class=GapSerializer)
    def gaps(self, request: Request) -> Response:
        """Publications that the registers should have made and that are not here, and deltas to fetch in
        time.
        """
        page: Any = self.paginate_queryset(gaps.find())
        return self.get_paginated_response([descriptions.describe_gap(gap) for gap in page])

    @extend_schema(
        summary="Ask a register for its new files", request=SyncSerializer, responses=_REQUESTED
    )
    @action(detail=False, methods=["post"], filterset_class=None)
    def sync(self, request: Request) -> Response:
        """Queue a sync of one dataset."""
        body = self.read_body(SyncSerializer)
        arguments = {name: str(value) for name, value in body.items()}
        trail.record("register.sync", request=request, about=arguments["dataset"], new=arguments)
        run = queue.request_run(
            Run.Kind.SYNC, requested_by=request.user.get_username(), arguments=arguments
        )
        return _accepted(request, run)


def _accepted(request: Request, run: Run) -> Response:
    run.refresh_from_db()
    location = reverse("run-detail", args=[run.pk], request=request)
    [described] = descriptions.describe_runs([run])
    return Response(described, status=202, headers={"Location": location})


@extend_schema_view(
    list=extend_schema(summary="List and filter runs", responses={200: RunSerializer(many=True)}),
    retrieve=extend_schema(
        summary="Get a run with its progress and result",
        responses={200: RunSerializer},
    ),
)
class RunViewSet(ApiView, viewsets.ReadOnlyModelViewSet[Run]):
    """Requested work: syncs, downloads, loads, clean-ups."""

    title = "Runs"
    needs = dict.fromkeys(("list", "retrieve"), reading("esma_files.view_run"))
    queryset: QuerySet[Run] = Run.objects.select_related("file")
    serializer_class = RunSerializer
    filterset_class = RunFilterSet
    lookup_value_regex = "[0-9]{1,18}"


@extend_schema_view(
    list=extend_schema(
        summary="List and filter rejected records",
        responses={200: RejectedRecordSerializer(many=True)},
    ),
    retrieve=extend_schema(
        summary="Get a rejected record", responses={200: RejectedRecordSerializer}
    ),
)
class RejectedRecordViewSet(ApiView, viewsets.ReadOnlyModelViewSet[RejectedRecord]):
    """Records that were not loaded, one row for each of their invalid values."""

    title = "Rejected records"
    needs = dict.fromkeys(("list", "retrieve"), reading("esma_files.view_rejectedrecord"))
    queryset: QuerySet[RejectedRecord] = RejectedRecord.objects.select_related("file").order_by(
        "-pk"
    )
    serializer_class = RejectedRecordSerializer
    filterset_class = RejectedRecordFilterSet
    lookup_value_regex = "[0-9]{1,18}"


class StorageView(ApiView):
    """The stored files by dataset, kind, tier and age, with the budget and the cost."""

    needs = {"GET": reading("esma_files.view_esmafile", costly=True)}

    @extend_schema(summary="Show the use of the storage", responses={200: UsageSerializer})
    def get(self, request: Request) -> Response:
        return Response(UsageSerializer(usage.collect()).data)


class RetentionView(ApiView, GenericAPIView[Any]):
    """The actions of the next clean-up, with every file and the reason."""

    needs = {
        "GET": reading("esma_files.view_esmafile", costly=True),
        "POST": holding("esma_files.delete_esmafile", sensitive=True, costly=True),
    }
    serializer_class = ActionSerializer
    filter_backends = ()

    @extend_schema(
        summary="Show the actions of the next clean-up",
        responses={200: ActionSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(retention.plan())
        return self.get_paginated_response(ActionSerializer(page, many=True).data)

    @extend_schema(summary="Clean up", request=None, responses=_REQUESTED)
    def post(self, request: Request) -> Response:
        """Queue a clean-up."""
        trail.record("storage.clean", request=request)
        run = queue.request_run(Run.Kind.CLEAN, requested_by=request.user.get_username())
        return _accepted(request, run)
