from django.urls import include, path
from rest_framework.routers import SimpleRouter

from accounts.api.keys import ApiKeyViewSet
from accounts.api.roles import RoleViewSet
from accounts.api.tokens import LogoutView, MeView, PasswordView, RefreshView, TokenView
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
    path("auth/me/", MeView.as_view(), name="me"),
    path("auth/password/", PasswordView.as_view(), name="password"),
]
