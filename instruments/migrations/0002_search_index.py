"""What models do not describe: search indexes, a table without row IDs, and the first row of the changes feed.

SQLite has full-text indexes (FTS5): one of the names and codes of instruments, with triggers that keep it
when rows are deleted other than by a load, and one of the names of legal entities. Other databases have an
index for each kind of code. See instruments/listings/search.py and docs/decisions/0013.
"""

from django.db import migrations, models
from django.utils import timezone

INDEX = "instruments_name_index"
ENTITY_INDEX = "instruments_entity_index"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# automerge, crisismerge, usermerge: what a load writes becomes one segment, and segments are merged
# after the load. hashsize: bytes that are collected in memory before a segment is written.
OPTIONS = {"automerge": 0, "crisismerge": 128, "usermerge": 16, "hashsize": 67108864}
INDEXES_ON_CODES = {
    "instrument_cfi_idx": ("Instrument", ["cfi_code", "isin"]),
    "instrument_issuer_idx": ("Instrument", ["issuer_lei", "isin"]),
    "instrument_currency_idx": ("Instrument", ["notional_currency", "isin"]),
    "listing_mic_idx": ("Listing", ["mic", "isin"]),
}


def isin_as_number(isin):
    """The rowid of an instrument in the full-text index, as SQL."""
    number = "0"
    for place in range(1, 12):
        number = f"({number}*36+instr('{DIGITS}',substr({isin},{place},1))-1)"
    return f"({number}*10+substr({isin},12,1))"


def document(row):
    """The indexed words of an instrument, as SQL; a character for private use begins each code."""
    return f"""{row}.full_name || ' ' || {row}.short_name
        || ' ' || char(57344) || substr({row}.cfi_code, 1, 1) || ' ' || char(57345) || {row}.cfi_code
        || ' ' || char(57346) || {row}.notional_currency || ' ' || char(57347) || {row}.issuer_lei
        || ' ' || char(57349) || {row}.status
        || ' ' || CASE WHEN {row}.eu_listings IS NULL THEN '' ELSE char(57350) || 'ESMA' END
        || ' ' || CASE WHEN {row}.uk_listings IS NULL THEN '' ELSE char(57350) || 'FCA' END
        || ' ' || coalesce((
            SELECT group_concat(char(57348) || l.mic, ' ')
            FROM instruments_listing l WHERE l.isin = {row}.isin), '')"""


def full_text_table(name):
    return (
        f"CREATE VIRTUAL TABLE {name} USING fts5 (document, content = '', columnsize = 0,"
        " detail = none, tokenize = 'unicode61 remove_diacritics 2')"
    )


def full_text_indexes():
    for index in (ENTITY_INDEX, INDEX):
        yield full_text_table(index)
        yield f"CREATE VIRTUAL TABLE {index}_words USING fts5vocab ({index}, instance)"
    for option, value in OPTIONS.items():
        yield f"INSERT INTO {INDEX} ({INDEX}, rank) VALUES ('{option}', {value})"
    instrument = (
        f"{isin_as_number('i.isin')}, {document('i')}"
        " FROM instruments_instrument i WHERE i.isin = old.isin"
    )
    yield (
        f"CREATE TRIGGER {INDEX}_forgets BEFORE DELETE ON instruments_instrument BEGIN"
        f" INSERT INTO {INDEX} ({INDEX}, rowid, document)"
        f" VALUES ('delete', {isin_as_number('old.isin')}, {document('old')}); END"
    )
    yield (
        f"CREATE TRIGGER {INDEX}_forgets_listing BEFORE DELETE ON instruments_listing BEGIN"
        f" INSERT INTO {INDEX} ({INDEX}, rowid, document) SELECT 'delete', {instrument}; END"
    )
    yield (
        f"CREATE TRIGGER {INDEX}_without_listing AFTER DELETE ON instruments_listing BEGIN"
        f" INSERT INTO {INDEX} (rowid, document) SELECT {instrument}; END"
    )


def add_indexes(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        for statement in full_text_indexes():
            schema_editor.execute(statement, None)
    else:
        for name, (model, fields) in INDEXES_ON_CODES.items():
            index = models.Index(fields=fields, name=name)
            schema_editor.add_index(apps.get_model("instruments", model), index)


def remove_indexes(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        for trigger in ("forgets", "forgets_listing", "without_listing"):
            schema_editor.execute(f"DROP TRIGGER {INDEX}_{trigger}", None)
        for table in (f"{INDEX}_words", f"{ENTITY_INDEX}_words", INDEX, ENTITY_INDEX):
            schema_editor.execute(f"DROP TABLE {table}", None)
    else:
        for name, (model, fields) in INDEXES_ON_CODES.items():
            index = models.Index(fields=fields, name=name)
            schema_editor.remove_index(apps.get_model("instruments", model), index)


def leave_out_row_ids(apps, schema_editor):
    """Create the table again without row IDs: a table and an index of it would take twice the space."""
    if schema_editor.connection.vendor != "sqlite":
        return
    table = apps.get_model("instruments", "MappedIssuer")._meta.db_table
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE name = %s", [table])
        [statement] = cursor.fetchone()
    schema_editor.execute(f'DROP TABLE "{table}"')
    schema_editor.execute(f"{statement} WITHOUT ROWID", params=None)


def create_first_change_set(apps, schema_editor):
    """Its time identifies this database in the cursors of the changes feed."""
    change_sets = apps.get_model("instruments", "ChangeSet").objects
    change_sets.using(schema_editor.connection.alias).create(number=0, made_at=timezone.now())


class Migration(migrations.Migration):
    dependencies = [("instruments", "0001_initial")]

    operations = [
        migrations.RunPython(add_indexes, remove_indexes),
        migrations.RunPython(leave_out_row_ids, migrations.RunPython.noop),
        migrations.RunPython(create_first_change_set, migrations.RunPython.noop),
    ]
