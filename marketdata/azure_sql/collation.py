"""How texts compare."""

# Letters compare and sort by their codes, as on SQLite, whatever the database's own collation is:
# `IE00` is not `ie00`, and a name that changes its case has changed.
COLLATION = "Latin1_General_100_BIN2"
