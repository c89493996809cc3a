from esma_files.models.file import EsmaFile, EsmaFileQuerySet, kind_choices
from esma_files.models.heartbeat import Heartbeat
from esma_files.models.register import RegisterHistory
from esma_files.models.run import RejectedRecord, Run, RunQuerySet

# Choices under names of their own, for the schema of the API.
KIND_CHOICES = kind_choices()
FileState, RunKind, RunState = EsmaFile.State, Run.Kind, Run.State

__all__ = [
    "KIND_CHOICES",
    "EsmaFile",
    "EsmaFileQuerySet",
    "FileState",
    "Heartbeat",
    "RegisterHistory",
    "RejectedRecord",
    "Run",
    "RunKind",
    "RunQuerySet",
    "RunState",
]
