"""Content-Security-Policy, with the names and settings of Django 6.

From Django 6 on, delete this module and use `django.utils.csp.CSP`,
`django.middleware.csp.ContentSecurityPolicyMiddleware`, `django.views.decorators.csp.csp_override` and the
context processor `django.template.context_processors.csp`: the setting SECURE_CSP has the same form.
"""

import enum
import functools
import secrets
from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject, empty

Policy = Mapping[str, Collection[str]]
_HEADER = "Content-Security-Policy"


class CSP(enum.StrEnum):
    """Sources of a policy. NONCE is replaced by the nonce of the request, if its template used it."""

    NONE = "'none'"
    SELF = "'self'"
    NONCE = "<CSP_NONCE_SENTINEL>"


class ContentSecurityPolicyMiddleware:
    """Add the policy in SECURE_CSP, or the one of the view's `csp_override`, to every response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._last: tuple[Policy, str] = ({}, "")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        nonce = SimpleLazyObject(lambda: secrets.token_urlsafe(16))
        request._csp_nonce = nonce  # type: ignore[attr-defined]
        response = self.get_response(request)
        if _HEADER not in response.headers:
            policy: Policy = getattr(response, "_csp_config", settings.SECURE_CSP)
            is_used = nonce._wrapped is not empty
            response.headers[_HEADER] = (
                build_policy(policy, str(nonce)) if is_used else self._without_nonce(policy)
            )
        return response

    def _without_nonce(self, policy: Policy) -> str:
        """Return the value of the header; most responses have the same policy as the one before."""
        last, value = self._last
        if policy is not last:
            value = build_policy(policy)
            self._last = (policy, value)
        return value


def build_policy(policy: Policy, nonce: str = "") -> str:
    """Return the value of the header. Without a nonce, sources that are CSP.NONCE are left out."""
    directives = []
    for name, sources in policy.items():
        values = [
            f"'nonce-{nonce}'" if source == CSP.NONCE else str(source)
            for source in sources
            if source != CSP.NONCE or nonce
        ]
        directives.append(f"{name} {' '.join(values)}")
    return "; ".join(directives)


def csp_override(policy: Policy) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that gives the responses of a view another policy than SECURE_CSP."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            response = view(*args, **kwargs)
            response._csp_config = policy
            return response

        return wrapped

    return decorate


def csp(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `csp_nonce`, for `<style nonce="...">` and `<script nonce="...">`."""
    return {"csp_nonce": getattr(request, "_csp_nonce", "")}
