from django.urls import path

from accounts.entra_sign_in import EntraCallbackView, EntraSignInView
from accounts.views import OwnPasswordView, SignInView, SignOutView

urlpatterns = [
    path("sign-in/", SignInView.as_view(), name="sign-in"),
    path("sign-in/entra/", EntraSignInView.as_view(), name="sign-in-entra"),
    path("sign-in/entra/callback/", EntraCallbackView.as_view(), name="sign-in-entra-callback"),
    path("sign-out/", SignOutView.as_view(), name="sign-out"),
    path("password/", OwnPasswordView.as_view(), name="own-password"),
]
