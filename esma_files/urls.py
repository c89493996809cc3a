from django.urls import path

from esma_files.pages import FilesView, FileView

urlpatterns = [
    path("files/", FilesView.as_view(), name="files"),
    path("files/<int:pk>/", FileView.as_view(), name="file"),
]
