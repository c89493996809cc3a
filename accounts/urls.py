from django.urls import path
from django.views.decorators.cache import never_cache

from accounts.account_page import (
    AccountView,
    ConfirmEmailView,
    OwnEmailView,
    RevokeApiKeyView,
)
from accounts.entra_sign_in import EntraCallbackView, EntraSignInView
from accounts.views import OwnPasswordView, SignInView, SignOutView

urlpatterns = [
    path("sign-in/", SignInView.as_view(), name="sign-in"),
    path("sign-in/entra/", never_cache(EntraSignInView.as_view()), name="sign-in-entra"),
    path(
        "sign-in/entra/callback/",
        never_cache(EntraCallbackView.as_view()),
        name="sign-in-entra-callback",
    ),
    path("sign-out/", SignOutView.as_view(), name="sign-out"),
    path("account/", never_cache(AccountView.as_view()), name="account"),
    path("account/email/", OwnEmailView.as_view(), name="own-email"),
    path(
        "account/email/<str:token>/",
        never_cache(ConfirmEmailView.as_view()),
        name="confirm-email",
    ),
    path(
        "account/api-keys/<str:prefix>/revoke/",
        RevokeApiKeyView.as_view(),
        name="revoke-api-key",
    ),
    path("password/", never_cache(OwnPasswordView.as_view()), name="own-password"),
]
