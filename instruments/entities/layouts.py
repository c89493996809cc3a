"""The layouts of GLEIF's files, by the codes of their kinds."""

from instruments.entities.bic_lei_layout import BICLEI
from instruments.entities.isin_lei_layout import ISINLEI
from instruments.entities.layout import LEVEL_1 as LEI2
from instruments.entities.level_2_layouts import REPEX, RR

__all__ = ["BICLEI", "ISINLEI", "LEI2", "REPEX", "RR"]
