"""The full-text index of names, on SQLite: see instruments/search.py and docs/decisions/0013."""

from django.db import migrations

INDEX = "instruments_name_index"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def key(isin):
    number = "0"
    for place in range(1, 12):
        number = f"({number}*36+instr('{DIGITS}',substr({isin},{place},1))-1)"
    return f"({number}*10+substr({isin},12,1))"


CODES = ("substr(cfi_code, 1, 1)", "substr(cfi_code, 1, 2)", "notional_currency", "status", "issuer_lei")


def document(row):
    codes = (f"char(57344) || {code}" for code in CODES)
    text = "full_name || ' ' || short_name || ' ' || " + " || ' ' || ".join(codes)
    for column in ("full_name", "short_name", "cfi_code", "notional_currency", "status", "issuer_lei"):
        text = text.replace(column, f"{row}.{column}")
    return text


def make(apps, schema_editor):
    if schema_editor.connection.vendor != "sqlite":
        return
    for statement in (
        f"CREATE VIRTUAL TABLE {INDEX} USING fts5 (said, content = '', columnsize = 0,"
        " detail = none, tokenize = 'unicode61 remove_diacritics 2')",
        f"CREATE VIRTUAL TABLE {INDEX}_words USING fts5vocab ({INDEX}, instance)",
        # A file at a time becomes one segment; 16 of them become one.
        f"INSERT INTO {INDEX} ({INDEX}, rank) VALUES ('automerge', 0)",
        f"INSERT INTO {INDEX} ({INDEX}, rank) VALUES ('hashsize', 67108864)",
        f"INSERT INTO {INDEX} (rowid, said) SELECT {key('isin')}, {document('i')}"
        " FROM instruments_instrument i ORDER BY isin",
        # What a load does not do: instruments that are deleted leave the index too.
        "CREATE TRIGGER instruments_name_index_forgets AFTER DELETE ON instruments_instrument BEGIN"
        f" INSERT INTO {INDEX} ({INDEX}, rowid, said)"
        f" VALUES ('delete', {key('old.isin')}, {document('old')}); END",
    ):
        schema_editor.execute(statement, None)


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        for statement in (
            "DROP TRIGGER instruments_name_index_forgets",
            f"DROP TABLE {INDEX}_words",
            f"DROP TABLE {INDEX}",
        ):
            schema_editor.execute(statement, None)


class Migration(migrations.Migration):

    dependencies = [
        ("instruments", "0006_volume_cap"),
    ]

    operations = [
        migrations.RunPython(make, remove),
    ]
