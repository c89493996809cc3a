from django.urls import include, path
from rest_framework.routers import SimpleRouter

from accounts.api.api_keys import ApiKeyViewSet
from accounts.api.auth import LogoutView, OwnAccountView, PasswordView, RefreshView, TokenView
from accounts.api.roles import RoleViewSet
from accounts.api.users import UserViewSet

router = SimpleRouter()
router.register("users", UserViewSet)
router.register("roles", RoleViewSet, basename="role")
router.register("api-keys", ApiKeyViewSet)
urlpatterns = [
    path("", include(router.urls)),
    path("auth/token/", TokenView.as_view(), name="token"),
    path("auth/refresh/", RefreshView.as_view(), name="refresh"),
    path("auth/logout/", LogoutView.as_view(), name="end-token"),
    path("auth/me/", OwnAccountView.as_view(), name="me"),
    path("auth/password/", PasswordView.as_view(), name="password"),
]
