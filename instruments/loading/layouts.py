"""Which files hold which records."""

from esma_files.errors import UnsupportedKind
from esma_files.names import FileName, Kind
from instruments.loading import firds, fitrs, volume_caps
from instruments.loading.layout import Layout

LAYOUTS = {
    Kind.FULINS: firds.FULL,
    Kind.DLTINS: firds.DELTA,
    Kind.FULCAN: firds.CANCELLED,
    Kind.FULECR: fitrs.EQUITY,
    Kind.DLTECR: fitrs.EQUITY,
    Kind.FULNCR: fitrs.NON_EQUITY,
    Kind.DLTNCR: fitrs.NON_EQUITY,
    Kind.DVCRES: volume_caps.LAYOUT,
}


def layout_of(name: str) -> Layout:
    """The layout of the file of this name. Raises UnsupportedKind."""
    kind = FileName.parse(name).kind
    if kind not in LAYOUTS:
        raise UnsupportedKind(name, f"{kind} files cannot be loaded yet")
    return LAYOUTS[kind]
