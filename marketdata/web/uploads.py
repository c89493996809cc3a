"""The limit of request bodies with files, which Django's limit of bodies leaves out.

Forms are parsed before a view checks its access rule, by the protection against forged requests, so anybody
could otherwise fill the disk with the temporary files of uploads.
"""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

from marketdata.web.access import is_met

_FORM_BYTES = 10_000  # of the other fields of a form with a file


class FormTooLarge(RequestDataTooBig):
    """A form with files has more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The form has more than {limit:,} bytes.")
        self.limit = limit


class LimitedUploads(FileUploadHandler):
    """Refuse a form before a byte of it is read if it is larger than its page takes from this user.

    A page that takes files larger than MAX_BODY_BYTES has their size in `max_file_bytes`, for users who meet
    its rule.
    """

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, str],  # noqa: N803  # Django passes it by name
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        if content_length > (limit := self._get_limit()):
            raise FormTooLarge(limit)

    def _get_limit(self) -> int:
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        match = getattr(self.request, "resolver_match", None)
        page = getattr(match.func, "view_class", None) if match else None
        max_file_bytes: int = getattr(page, "max_file_bytes", 0)
        if page is not None and max_file_bytes and is_met(page.needs, self.request.user):  # type: ignore[union-attr]
            limit = max(limit, max_file_bytes + _FORM_BYTES)
        return limit

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data  # for the handlers that store it

    def file_complete(self, file_size: int) -> None:
        return None
