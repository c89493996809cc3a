"""Content negotiation."""

from collections.abc import Iterable

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from marketdata.common.errors import InvalidQuery


class ContentNegotiation(DefaultContentNegotiation):
    """Accepts problem documents as JSON: a client that asks for them gets any JSON, and JSON errors."""

    def get_accept_list(self, request: Request) -> list[str]:
        accepted: list[str] = super().get_accept_list(request)
        return [media.replace("application/problem+json", "application/json") for media in accepted]

    def filter_renderers(
        self, renderers: Iterable[BaseRenderer], format_: str
    ) -> list[BaseRenderer]:
        """Return the renderer that the parameter `format` names, also by one of its `other_formats`.

        Raises InvalidQuery, with the choices, where none has the name.
        """
        renderers = list(renderers)
        for renderer in renderers:
            if format_ in (renderer.format, *getattr(renderer, "other_formats", ())):
                return [renderer]
        choices = ", ".join(str(renderer.format) for renderer in renderers)
        raise InvalidQuery(
            "format", f"{format_!r} is not a valid choice. Choose one of: {choices}."
        )
