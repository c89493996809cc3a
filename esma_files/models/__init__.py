from esma_files.models.file import EsmaFile, EsmaFileQuerySet
from esma_files.models.run import LoadRun, RejectedRecord

__all__ = ["EsmaFile", "EsmaFileQuerySet", "LoadRun", "RejectedRecord"]
