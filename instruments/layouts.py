"""Which files hold which records."""

from esma_files.errors import UnsupportedKind
from esma_files.names import FileName, Kind
from instruments.listings.load import layout as firds
from instruments.staging.layout import Layout
from instruments.transparency import layout as fitrs
from instruments.volume_cap import layout as volume_cap

LAYOUTS = {
    Kind.FULINS: firds.FULL,
    Kind.DLTINS: firds.DELTA,
    Kind.FULCAN: firds.CANCELLED,
    Kind.FULECR: fitrs.EQUITY,
    Kind.DLTECR: fitrs.EQUITY,
    Kind.FULNCR: fitrs.NON_EQUITY,
    Kind.DLTNCR: fitrs.NON_EQUITY,
    Kind.DVCRES: volume_cap.LAYOUT,
}


def layout_of(name: str) -> Layout:
    """The layout of the file of this name. Raises UnsupportedKind."""
    kind = FileName.parse(name).kind
    if kind not in LAYOUTS:
        raise UnsupportedKind(name, f"{kind} files cannot be loaded yet")
    return LAYOUTS[kind]
