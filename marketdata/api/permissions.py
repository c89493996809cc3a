"""Who may do what, until roles come: reading by a setting, everything else by staff."""

from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:  # DRF reads this module while it is itself being imported
    from rest_framework.views import APIView


class ReadOrStaff(BasePermission):
    """Who is signed in may read, with ANONYMOUS_READ everybody may; staff may write."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if request.method in SAFE_METHODS:
            return bool(settings.ANONYMOUS_READ or request.user.is_authenticated)
        return bool(request.user.is_staff)
