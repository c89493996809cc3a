"""The full-text index of names and codes, on SQLite: see instruments/listings/search.py and docs/decisions/0013."""

from django.db import migrations

INDEX = "instruments_name_index"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def key(isin):
    number = "0"
    for place in range(1, 12):
        number = f"({number}*36+instr('{DIGITS}',substr({isin},{place},1))-1)"
    return f"({number}*10+substr({isin},12,1))"


def document(row):
    return f"""{row}.full_name || ' ' || {row}.short_name
        || ' ' || char(57344) || substr({row}.cfi_code, 1, 1) || ' ' || char(57345) || {row}.cfi_code
        || ' ' || char(57346) || {row}.notional_currency || ' ' || char(57347) || {row}.issuer_lei
        || ' ' || char(57349) || {row}.status
        || ' ' || CASE WHEN {row}.eu_listings IS NULL THEN '' ELSE char(57350) || 'ESMA' END
        || ' ' || CASE WHEN {row}.uk_listings IS NULL THEN '' ELSE char(57350) || 'FCA' END
        || ' ' || coalesce((
            SELECT group_concat(char(57348) || l.mic, ' ')
            FROM instruments_listing l WHERE l.isin = {row}.isin), '')"""


def make(apps, schema_editor):
    if schema_editor.connection.vendor != "sqlite":
        return
    for statement in (
        f"CREATE VIRTUAL TABLE {INDEX} USING fts5 (said, content = '', columnsize = 0,"
        " detail = none, tokenize = 'unicode61 remove_diacritics 2')",
        f"CREATE VIRTUAL TABLE {INDEX}_words USING fts5vocab ({INDEX}, instance)",
        # What one load writes becomes one segment; 16 of them become one.
        f"INSERT INTO {INDEX} ({INDEX}, rank) VALUES ('automerge', 0)",
        f"INSERT INTO {INDEX} ({INDEX}, rank) VALUES ('hashsize', 67108864)",
        f"INSERT INTO {INDEX} (rowid, said) SELECT {key('i.isin')}, {document('i')}"
        " FROM instruments_instrument i ORDER BY i.isin",
        # No load deletes instruments or listings; what else does must leave nothing in the index.
        f"CREATE TRIGGER {INDEX}_forgets BEFORE DELETE ON instruments_instrument BEGIN"
        f" INSERT INTO {INDEX} ({INDEX}, rowid, said)"
        f" VALUES ('delete', {key('old.isin')}, {document('old')}); END",
        f"CREATE TRIGGER {INDEX}_forgets_listing BEFORE DELETE ON instruments_listing BEGIN"
        f" INSERT INTO {INDEX} ({INDEX}, rowid, said) SELECT 'delete', {key('i.isin')}, {document('i')}"
        " FROM instruments_instrument i WHERE i.isin = old.isin; END",
        f"CREATE TRIGGER {INDEX}_without_listing AFTER DELETE ON instruments_listing BEGIN"
        f" INSERT INTO {INDEX} (rowid, said) SELECT {key('i.isin')}, {document('i')}"
        " FROM instruments_instrument i WHERE i.isin = old.isin; END",
    ):
        schema_editor.execute(statement, None)


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        for statement in (
            f"DROP TRIGGER {INDEX}_forgets",
            f"DROP TRIGGER {INDEX}_forgets_listing",
            f"DROP TRIGGER {INDEX}_without_listing",
            f"DROP TABLE {INDEX}_words",
            f"DROP TABLE {INDEX}",
        ):
            schema_editor.execute(statement, None)


class Migration(migrations.Migration):

    dependencies = [
        ("instruments", "0011_scope"),
    ]

    operations = [
        migrations.RunPython(make, remove),
    ]
