from django.urls import path

from esma_files.file_actions import FileActionView
from esma_files.operations_pages import CalendarView, RejectsView, RunsView, StorageView
from esma_files.pages import FilesView, FileView
from esma_files.upload_page import UploadView

urlpatterns = [
    path("files/", FilesView.as_view(), name="files"),
    path("files/calendar/", CalendarView.as_view(), name="files-calendar"),
    path("files/rejects/", RejectsView.as_view(), name="rejects"),
    path("files/runs/", RunsView.as_view(), name="runs"),
    path("files/storage/", StorageView.as_view(), name="files-storage"),
    path("files/upload/", UploadView.as_view(), name="file-upload"),
    path("files/<int:pk>/", FileView.as_view(), name="file"),
    path("files/<int:pk>/<slug:name>/", FileActionView.as_view(), name="file-action"),
]
