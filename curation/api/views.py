"""Corrections in the API: list, propose, approve, reject and withdraw."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from curation import bulk, proposals
from curation.api.bulk import (
    DebtSerializer,
    NumbersSerializer,
    OutcomesSerializer,
    PreviewSerializer,
)
from curation.debt import get_debt, summarize
from curation.descriptions import describe_correction
from curation.filters import CorrectionFilterSet
from curation.previews import preview
from instruments.correctable import ALL_FIELDS
from instruments.listings.status import today
from instruments.models import Correction, Register
from marketdata.api.openapi import path_parameter
from marketdata.api.parameters import StrictSerializer
from marketdata.api.problems import documented
from marketdata.api.views import ApiView
from marketdata.common.errors import NotInDatabase
from marketdata.web.access import holding, reading

_NUMBER = path_parameter("number", "Number of a correction", pattern="^[0-9]{1,18}$")
_MAX_DEBT = 1_000  # corrections in one answer; the summary counts all of them
_MAX_NAME = 100  # of a column
_CONFLICT = documented({409: "The state of the correction does not permit this."})


class CorrectionSerializer(serializers.ModelSerializer[Correction]):
    """A correction of a published value, from its proposal to its end."""

    number = serializers.IntegerField(read_only=True)
    subject = serializers.CharField(help_text="instrument, entity or venue")
    register = serializers.CharField(
        allow_null=True, help_text="ESMA or FCA; null for entities and venues"
    )
    isin = serializers.CharField(allow_null=True)
    lei = serializers.CharField(allow_null=True, help_text="LEI of a corrected entity")
    mic = serializers.CharField(
        allow_null=True,
        help_text="MIC of a corrected venue; with an ISIN that of the listing, or null for all listings in"
        " the register",
    )
    expected = serializers.JSONField(
        allow_null=True, help_text="The published value when it was proposed; null if none"
    )
    value = serializers.JSONField(allow_null=True, help_text="The value to be served instead")
    evidence = serializers.CharField(allow_null=True)
    proposed_by = serializers.CharField(
        allow_null=True, help_text="User name; null for callers who may not see it"
    )
    approved_by = serializers.CharField(
        allow_null=True, help_text="User name; null before, and for callers who may not see it"
    )

    class Meta:
        model = Correction
        fields = (
            *("number", "subject", "register", "isin", "lei", "mic", "field", "expected", "value"),
            "reason",
            *("evidence", "state", "remark", "proposed_by", "proposed_at", "approved_by"),
            *("approved_at", "closed_at", "valid_from", "valid_to", "reported_on"),
        )
        read_only_fields = fields

    def to_representation(self, instance: Correction) -> Any:
        return describe_correction(instance, user=self.context["request"].user)


class CorrectableField(serializers.ChoiceField):
    """A column of any subject. `proposals.check` refuses those of others, and lists those of the subject."""

    def to_internal_value(self, data: Any) -> str:
        name: str = serializers.CharField(max_length=_MAX_NAME).run_validation(data)
        return name


class ProposalSerializer(StrictSerializer):
    """A correction of an instrument (register and ISIN), of an entity (LEI) or of a venue (MIC alone)."""

    register = serializers.ChoiceField(choices=Register.choices, required=False, allow_blank=True)
    isin = serializers.CharField(
        max_length=100,
        required=False,
        allow_blank=True,
        help_text="ISIN, or a FIGI or ticker that only one instrument has",
    )
    lei = serializers.CharField(
        max_length=20, required=False, allow_blank=True, help_text="LEI of an entity"
    )
    mic = serializers.CharField(
        max_length=4,
        required=False,
        allow_blank=True,
        help_text="MIC of a venue; with an ISIN only the listing there. Default with an ISIN: all listings"
        " in the register",
    )
    field = CorrectableField(
        choices=ALL_FIELDS,
        help_text="Column of a listing, as full_name; of an entity, as legal_name; or of a venue, as name",
    )
    expected = serializers.CharField(
        max_length=500,
        required=False,
        allow_blank=True,
        help_text="The published value, to be sure of it; empty if none. Default: the current one",
    )
    value = serializers.CharField(
        max_length=500, allow_blank=True, help_text="The right value; empty for none"
    )
    reason = serializers.CharField(max_length=2_000)
    evidence = serializers.CharField(
        max_length=500, required=False, allow_blank=True, help_text="http or https address"
    )
    valid_from = serializers.DateField(required=False, allow_null=True)
    valid_to = serializers.DateField(required=False, allow_null=True)
    reported_on = serializers.DateField(
        required=False, allow_null=True, help_text="Day on which the authority was told"
    )


class ProposalsSerializer(StrictSerializer):
    """Corrections to be proposed."""

    corrections = serializers.ListField(
        child=ProposalSerializer(), min_length=1, max_length=bulk.MAX_CORRECTIONS
    )


class DecisionSerializer(StrictSerializer):
    """The reason for a rejection or a withdrawal."""

    reason = serializers.CharField(max_length=500)


class ReportSerializer(StrictSerializer):
    """The day on which the authority was told."""

    reported_on = serializers.DateField()


@extend_schema_view(
    list=extend_schema(summary="List corrections, newest first"),
    retrieve=extend_schema(summary="Get one correction", parameters=[_NUMBER]),
)
class CorrectionViewSet(ApiView, viewsets.ReadOnlyModelViewSet[Correction]):
    """Corrections of published values. Loads never change them, and they never change loaded records."""

    title = "Corrections"
    needs = {
        "list": reading("instruments.view_correction"),
        "retrieve": reading("instruments.view_correction"),
        "create": holding("instruments.add_correction"),
        "preview": holding("instruments.add_correction"),
        "propose_many": holding("instruments.add_correction", costly=True),
        "approve_many": holding(proposals.APPROVE, costly=True),
        "debt": reading("instruments.view_correction"),
        "approve": holding(proposals.APPROVE),
        "reject": holding(proposals.APPROVE),
        "withdraw": holding("instruments.add_correction"),
        "report": holding(proposals.APPROVE),
    }
    queryset = Correction.objects.all()
    serializer_class = CorrectionSerializer
    filterset_class = CorrectionFilterSet
    lookup_field = "number"
    lookup_value_regex = "[0-9]{1,18}"

    def get_object(self) -> Correction:
        number = self.kwargs["number"]
        correction = Correction.objects.filter(pk=number).first()
        if correction is None:
            raise NotInDatabase(f"There is no correction {number}.")
        return correction

    def _answer(self, correction: Correction, status: int = 200) -> Response:
        location = reverse("correction-detail", args=[correction.pk], request=self.request)
        data = self.get_serializer(correction).data
        headers = {"Location": location} if status == 201 else None
        return Response(data, status=status, headers=headers)

    @extend_schema(
        summary="Propose a correction",
        description="Another person approves it, if CORRECTIONS_NEED_TWO is set. It applies from then on,"
        " for as long as the register, GLEIF or the list of venues publishes `expected`.",
        request=ProposalSerializer,
        responses={201: CorrectionSerializer, **_CONFLICT},
    )
    def create(self, request: Request) -> Response:
        body = self.read_body(ProposalSerializer)
        correction = proposals.propose(
            proposals.Proposal(**body),
            by=request.user.get_username(),
            request=request,
        )
        return self._answer(correction, 201)

    @extend_schema(
        summary="Approve a proposed correction",
        parameters=[_NUMBER],
        request=None,
        responses={200: CorrectionSerializer, **_CONFLICT},
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def approve(self, request: Request, number: str) -> Response:
        correction = self.get_object()
        proposals.approve(correction, by=request.user.get_username(), request=request)
        return self._answer(correction)

    @extend_schema(
        summary="Reject a proposed correction",
        parameters=[_NUMBER],
        request=DecisionSerializer,
        responses={200: CorrectionSerializer, **_CONFLICT},
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def reject(self, request: Request, number: str) -> Response:
        correction, reason = self.get_object(), self.read_body(DecisionSerializer)["reason"]
        proposals.reject(correction, reason=reason, by=request.user.get_username(), request=request)
        return self._answer(correction)

    @extend_schema(
        summary="Withdraw a correction: your own proposal, or any with the right to approve",
        parameters=[_NUMBER],
        request=DecisionSerializer,
        responses={200: CorrectionSerializer, **_CONFLICT},
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def withdraw(self, request: Request, number: str) -> Response:
        correction, reason = self.get_object(), self.read_body(DecisionSerializer)["reason"]
        proposals.withdraw(
            correction,
            reason=reason,
            by=request.user.get_username(),
            may_approve=request.user.has_perm(proposals.APPROVE),
            request=request,
        )
        return self._answer(correction)

    @extend_schema(
        summary="Note the day on which the authority was told of the wrong value",
        parameters=[_NUMBER],
        request=ReportSerializer,
        responses={200: CorrectionSerializer, **_CONFLICT},
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def report(self, request: Request, number: str) -> Response:
        correction = self.get_object()
        day = self.read_body(ReportSerializer)["reported_on"]
        proposals.note_report(correction, day, by=request.user.get_username(), request=request)
        return self._answer(correction)

    @extend_schema(
        operation_id="corrections_preview",
        summary="Show the listings that a correction would change, without proposing it",
        request=ProposalSerializer,
        responses={200: PreviewSerializer, **_CONFLICT},
    )
    @action(detail=False, methods=["post"], filterset_class=None, pagination_class=None)
    def preview(self, request: Request) -> Response:
        body = self.read_body(ProposalSerializer)
        return Response(preview(proposals.check(proposals.Proposal(**body))))

    @extend_schema(
        operation_id="corrections_propose_many",
        summary="Propose up to 100 corrections",
        description="Each is proposed by itself: those that are not valid are left out, with the reason.",
        request=ProposalsSerializer,
        responses={200: OutcomesSerializer},
    )
    @action(
        detail=False, methods=["post"], url_path="bulk", filterset_class=None, pagination_class=None
    )
    def propose_many(self, request: Request) -> Response:
        rows = [
            proposals.Proposal(**row) for row in self.read_body(ProposalsSerializer)["corrections"]
        ]
        by = request.user.get_username()
        return Response({"results": bulk.propose_all(rows, by=by, request=request)})

    @extend_schema(
        operation_id="corrections_approve_many",
        summary="Approve up to 100 proposed corrections",
        description="Each is approved by itself: the others are left as they are, with the reason.",
        request=NumbersSerializer,
        responses={200: OutcomesSerializer},
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="approve",
        filterset_class=None,
        pagination_class=None,
    )
    def approve_many(self, request: Request) -> Response:
        numbers = self.read_body(NumbersSerializer)["numbers"]
        by = request.user.get_username()
        return Response({"results": bulk.approve_all(numbers, by=by, request=request)})

    @extend_schema(
        operation_id="corrections_debt",
        summary="Get the override debt: corrections by age, owner and field, and those that expire",
        responses={200: DebtSerializer},
    )
    @action(detail=False, methods=["get"], filterset_class=None, pagination_class=None)
    def debt(self, request: Request) -> Response:
        rows = get_debt(today(), user=request.user)
        return Response({"summary": summarize(rows), "corrections": rows[:_MAX_DEBT]})
