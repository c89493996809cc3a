from django.urls import path

from accounts.sign_in import Begin, Callback

urlpatterns = [
    path("", Begin.as_view(), name="sign-in"),
    path("callback/", Callback.as_view(), name="sign-in-callback"),
]
