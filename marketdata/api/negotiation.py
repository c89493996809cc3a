"""Content negotiation."""

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request


class ContentNegotiation(DefaultContentNegotiation):
    """Accepts problem documents as JSON: a client that asks for them gets any JSON, and JSON errors."""

    def get_accept_list(self, request: Request) -> list[str]:
        accepted: list[str] = super().get_accept_list(request)
        return [media.replace("application/problem+json", "application/json") for media in accepted]
