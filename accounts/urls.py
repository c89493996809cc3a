from django.urls import path

from accounts.pages import Password, SignIn, SignOut
from accounts.sign_in import Begin, Callback

urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("sign-in/entra/", Begin.as_view(), name="sign-in-entra"),
    path("sign-in/entra/callback/", Callback.as_view(), name="sign-in-entra-callback"),
    path("sign-out/", SignOut.as_view(), name="sign-out"),
    path("password/", Password.as_view(), name="own-password"),
]
