"""Content negotiation."""

from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from marketdata.common.errors import InvalidQuery


def get_file_types(view: Any) -> list[str]:
    """Return the media types of the files that a view answers with (its attribute `file_types`)."""
    return [media.partition(";")[0] for media in getattr(view, "file_types", ())]


def choose_file(request: Request, media_types: Mapping[str, str]) -> str:
    """Return the format that the header Accept prefers, by its name; the first one if it names none."""
    names = {media.partition(";")[0]: name for name, media in media_types.items()}
    preferred = request._request.get_preferred_type(list(names))
    return names[preferred] if preferred else next(iter(media_types))


class ContentNegotiation(DefaultContentNegotiation):
    """Accepts problem documents as JSON: a client that asks for them gets any JSON, and JSON errors."""

    def get_accept_list(self, request: Request) -> list[str]:
        accepted: list[str] = super().get_accept_list(request)
        return [media.replace("application/problem+json", "application/json") for media in accepted]

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """Return the renderer and its media type; the first one where the view has an accepted file."""
        renderers = list(renderers)
        try:
            chosen: tuple[BaseRenderer, str] = super().select_renderer(
                request, renderers, format_suffix
            )
        except NotAcceptable:
            view = (request.parser_context or {}).get("view")
            if not request._request.get_preferred_type(get_file_types(view)):
                raise
            return renderers[0], str(renderers[0].media_type)
        return chosen

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
