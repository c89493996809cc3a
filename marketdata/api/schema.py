"""What OpenAPI says of each operation beside its data: whom it is for, and that there are limits."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse

from marketdata.api.permissions import rule_of
from marketdata.api.problems import CONTENT_TYPE, ProblemSerializer
from marketdata.common.access import PUBLIC, Rule


class RuleSchema(AutoSchema):
    """Reads the rule of the view, so that documentation and door cannot differ."""

    def get_description(self) -> str:  # type: ignore[override]  # the stubs mix it up with DRF's
        rule = self._rule()
        said = [AutoSchema.get_description(self)]
        if rule.permission:
            said.append(f"Needs the permission `{rule.permission}`.")
        if rule.anonymous_read:
            said.append("Open to everybody where anonymous reading is on.")
        if rule.sensitive:
            said.append("Only from the networks set for sensitive work.")
        if rule.costly:
            said.append("Counts as costly work.")
        return "\n\n".join(part for part in said if part)

    def get_auth(self) -> list[dict[str, Any]]:
        rule = self._rule()
        if rule.everybody:
            return []
        ways: list[dict[str, Any]] = super().get_auth()
        ways = [way for way in ways if rule.by_key or "apiKey" not in way]
        return [*ways, {}] if rule.anonymous_read else ways

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies: Any = super()._get_response_bodies(direction)
        too_many = OpenApiResponse(ProblemSerializer, "Too many requests; Retry-After says when.")
        made: Any = self._get_response_for_code
        bodies["429"] = made(too_many, "429", [CONTENT_TYPE], direction)
        return bodies

    def _rule(self) -> Rule:
        return rule_of(self.view, self.method) or PUBLIC
