"""The layout of the records of each kind of file, and the tables that results go into."""

from esma_files.errors import UnsupportedKind
from esma_files.names import FileName, Kind
from instruments.listings.load import layout as firds
from instruments.staging.layout import Layout
from instruments.transparency import layout as fitrs
from instruments.transparency import tables as transparency
from instruments.volume_cap import layout as volume_cap
from instruments.volume_cap import tables as volume_cap_tables

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


RESULT_TABLES = {
    Kind.FULECR: transparency.TABLES,
    Kind.DLTECR: transparency.TABLES,
    Kind.FULNCR: transparency.TABLES,
    Kind.DLTNCR: transparency.TABLES,
    Kind.DVCRES: volume_cap_tables.TABLES,
}


def layout_of(name: str) -> Layout:
    """Return the layout of the file of this name. Raises UnsupportedKind."""
    kind = FileName.parse(name).kind
    if kind not in LAYOUTS:
        raise UnsupportedKind(name, f"{kind} files cannot be loaded yet")
    return LAYOUTS[kind]
