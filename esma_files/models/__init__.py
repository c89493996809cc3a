from esma_files.models.file import EsmaFile, EsmaFileQuerySet
from esma_files.models.run import RejectedRecord, Run, RunQuerySet

# Choices under names of their own, for the schema of the API.
FileState, RunKind, RunState = EsmaFile.State, Run.Kind, Run.State

__all__ = [
    "EsmaFile",
    "EsmaFileQuerySet",
    "FileState",
    "RejectedRecord",
    "Run",
    "RunKind",
    "RunQuerySet",
    "RunState",
]
