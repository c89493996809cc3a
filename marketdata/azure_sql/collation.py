"""The collation of all text columns."""

# Text is compared and sorted by code points, as on SQLite, whatever the collation of the database is: `IE00`
# differs from `ie00`, and a change of case in a name is a change.
COLLATION = "Latin1_General_100_BIN2"
