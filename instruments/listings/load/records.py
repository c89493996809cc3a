"""Compare staged records with the tables, and write what differs into listings and versions.

Most records are new, as they were, or follow everything that was published of their listing: one
comparison settles these (`write_compared`). For the others, which come late, repeat or cancel something,
the timeline of the listing is rebuilt from all of its records (`write_timelines`).
"""

from collections.abc import Iterable

from instruments.listings.fields import FIELDS
from instruments.listings.load import layout, temporary_tables
from instruments.listings.load.context import (
    CANCELLATION_LISTS,
    FILE,
    LISTING,
    VERSION,
    MergeContext,
)
from instruments.staging.dialect import day_before, update_rows

# Columns of listings, versions and staged records alike.
_PUBLISHED = (*(field.column for field in FIELDS), *layout.GROUP_COLUMNS)
COMMON = ("status", "valid_from", "record_kind", "fingerprint", *_PUBLISHED)
# Columns that tell where a record comes from.
_PROVENANCE = ("register", "source_file_id", "source_position", "known_from")
_RECORD = (*_PROVENANCE, *COMMON)
_KEY = ("isin", "mic", "register")

# "dropped" is a conclusion of this project, and not a status that a register publishes.
_PUBLISHED_STATUS = "CASE l.status WHEN 'dropped' THEN 'active' ELSE l.status END"


def _columns(columns: Iterable[str], alias: str = "") -> str:
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + column for column in columns)


_RECORD_AS_PUBLISHED = _columns(_RECORD, "l").replace("l.status", _PUBLISHED_STATUS)


def write_compared(merge: MergeContext) -> None:
    """Compare the staged records of the slice with the tables, and insert the new ones.

    Fills `record_outcome`, and `superseded_listing` with the listings that have changed.
    """
    temporary_tables.create(
        merge.cursor, temporary_tables.RECORD_OUTCOME, temporary_tables.SUPERSEDED_LISTING
    )
    merge.cursor.execute(_compare(merge), [merge.slice.after, merge.slice.last] * 2)
    merge.execute(_SUPERSEDE_CHANGED, _insert_new(merge))


def _compare(merge: MergeContext) -> str:
    """Give each staged record of a slice its outcome; parameters: the bounds of the slice, twice."""
    same_day = (
        "s.status = 'cancelled'" if merge.is_cancellation_list else "l.valid_from = s.valid_from"
    )
    first_known = f"coalesce({merge.staged_known_from}, {merge.staged_published_on})"
    is_contested = (
        """WHEN EXISTS (SELECT 1 FROM temp.withdrawn_record w
                WHERE w.isin = s.isin AND w.mic = s.mic) THEN NULL"""
        if merge.replacement
        else ""
    )
    return f"""
        INSERT INTO temp.record_outcome
            (position, isin, isin_key, mic, valid_from, is_end, listing_id, outcome)
        SELECT s.position, s.isin, s.isin_key, s.mic, s.valid_from,
            CASE WHEN s.status = 'active' THEN 0 ELSE 1 END, l.id,
            CASE
            WHEN repeated.isin IS NOT NULL THEN NULL
            {is_contested}
            WHEN l.id IS NULL THEN 'new'
            WHEN l.fingerprint = s.fingerprint AND {same_day}
                AND l.status = s.status AND f.sequence <= {merge.file.sequence}
                THEN CASE WHEN l.known_from > {first_known} THEN NULL ELSE 'unchanged' END
            WHEN {_follows_all(merge)} THEN 'changed'
            END
        FROM stage.record s
        LEFT JOIN {LISTING} l
            ON l.isin = s.isin AND l.mic = s.mic AND l.register = '{merge.register}'
        LEFT JOIN {FILE} f ON f.id = l.source_file_id
        LEFT JOIN (
            SELECT isin, mic FROM stage.record WHERE isin > %s AND isin <= %s
            GROUP BY isin, mic HAVING count(*) > 1
        ) AS repeated ON repeated.isin = s.isin AND repeated.mic = s.mic
        WHERE s.isin > %s AND s.isin <= %s
        ORDER BY s.isin, s.mic
    """


def _follows_all(merge: MergeContext) -> str:
    """SQL: whether a record is newer than all records of its listing, and repeats none of them.

    Cancellations and dropped listings always go through the timeline.
    """
    if merge.is_cancellation_list:
        return "1 = 0"
    return f"""
        f.sequence < {merge.file.sequence} AND f.kind NOT IN ({CANCELLATION_LISTS})
        AND l.status <> 'dropped' AND s.status <> 'cancelled' AND NOT EXISTS (
            SELECT 1 FROM {VERSION} v
            WHERE v.isin = s.isin AND v.mic = s.mic AND v.register = '{merge.register}'
            AND (v.fingerprint = s.fingerprint OR v.status = 'cancelled'))
    """


_SUPERSEDE_CHANGED = f"""
    INSERT INTO temp.superseded_listing (listing_id, position, valid_to)
    SELECT o.listing_id, o.position, {day_before("o.valid_from")} FROM temp.record_outcome o
    WHERE o.outcome = 'changed' ORDER BY o.listing_id
"""


def _inserted(merge: MergeContext, *, known_from: str) -> tuple[str, str]:
    """The columns of a new row, and their values from a staged record `s`; `known_from` is SQL.

    Columns without a value in any staged record are NULL anyway.
    """
    columns = [
        column for column in COMMON if column in merge.staged_columns or column not in _PUBLISHED
    ]
    values = (
        f"'{merge.register}', {merge.staged_file_id}, {merge.staged_position},"
        f" {known_from}, {_columns(columns, 's')}"
    )
    return _columns((*_PROVENANCE, *columns)), values


def _insert_new(merge: MergeContext) -> str:
    columns, values = _inserted(merge, known_from=merge.staged_known_from)
    return f"""
        INSERT OR FAIL INTO {LISTING} ({columns}, change_id) SELECT {values}, {merge.change}
        FROM temp.record_outcome o CROSS JOIN stage.record s ON s.position = o.position
        WHERE o.outcome = 'new'
    """


def replace_superseded(merge: MergeContext) -> None:
    """Copy the records of superseded listings into versions, and write the staged ones in their place."""
    # Not the key: SQLite updates the index of each column that is assigned, even with the same value.
    newest = {column: f"s.{column}" for column in COMMON if column not in _KEY} | {
        "source_position": merge.staged_position,
        "source_file_id": merge.staged_file_id,
        "known_from": merge.staged_known_from,
        "change_id": str(merge.change),
        "dropped_by_id": "NULL",
    }
    merge.execute(
        f"""INSERT OR FAIL INTO {VERSION} ({_columns(_RECORD)}, valid_to)
            SELECT {_RECORD_AS_PUBLISHED}, u.valid_to
            FROM temp.superseded_listing u CROSS JOIN {LISTING} l ON l.id = u.listing_id
            WHERE u.valid_to IS NOT NULL""",
        update_rows(
            LISTING,
            newest,
            source=f"""temp.superseded_listing u JOIN stage.record s ON s.position = u.position
                WHERE u.listing_id = {LISTING}.id""",
            where=f"""{LISTING}.id IN
                (SELECT listing_id FROM temp.superseded_listing WHERE position IS NOT NULL)""",
        ),
    )


def build_timelines(merge: MergeContext) -> None:
    """Rebuild the timelines of the listings of unresolved records, and note which listings they supersede."""
    temporary_tables.create(merge.cursor, temporary_tables.TIMELINE)
    merge.execute(_fill_timeline(merge))
    if merge.replacement:
        merge.execute(_ADD_WITHDRAWN)
    merge.execute(
        *temporary_tables.TIMELINE_INDEXES,
        _SUPERSEDE_BY_TIMELINE,
        *_update_known_from(merge),
    )


def _is_known_earlier(table: str, origin: str) -> str:
    """SQL: whether a record of a republished file was known earlier, from an older file that came later."""
    return f"""t.origin = '{origin}' AND t.row_id = {table}.id AND t.is_kept = 1
        AND {table}.known_from IS NOT NULL AND {table}.known_from IS DISTINCT FROM t.known_from"""


def _update_known_from(merge: MergeContext) -> tuple[str, ...]:
    """SQL that writes `known_from` of such records. A listing counts as changed with its versions."""
    return (
        f"""UPDATE {LISTING} SET known_from = t.known_from, change_id = {merge.change}
            FROM temp.timeline t WHERE {_is_known_earlier(LISTING, "listing")}""",
        f"""UPDATE {LISTING} SET change_id = {merge.change}
            FROM temp.timeline t JOIN {VERSION} ON {_is_known_earlier(VERSION, "version")}
            WHERE {LISTING}.isin = t.isin AND {LISTING}.mic = t.mic
            AND {LISTING}.register = '{merge.register}'""",
        f"""UPDATE {VERSION} SET known_from = t.known_from
            FROM temp.timeline t WHERE {_is_known_earlier(VERSION, "version")}""",
    )


# These are in no place of the timeline: a listing takes another record, and a version is deleted.
_ADD_WITHDRAWN = """
    INSERT INTO temp.timeline (isin, mic, origin, row_id, is_kept, is_last)
    SELECT isin, mic, origin, row_id, 0, 0 FROM temp.withdrawn_record
"""


def _unresolved_keys(merge: MergeContext) -> str:
    """A query for ISIN and MIC of the listings whose timeline is rebuilt, each once."""
    keys = "SELECT DISTINCT isin, mic FROM temp.record_outcome WHERE outcome IS NULL"
    if merge.replacement:
        keys += " UNION SELECT isin, mic FROM temp.withdrawn_record"
    return keys


def _is_unresolved_listing(merge: MergeContext) -> str:
    """SQL: whether the timeline of a listing `l` is rebuilt, from its record too."""
    if not merge.replacement:
        return "l.id IN (SELECT listing_id FROM temp.record_outcome WHERE outcome IS NULL)"
    return f"""l.id IN (
        SELECT x.id FROM ({_unresolved_keys(merge)}) k
        CROSS JOIN {LISTING} x
            ON x.isin = k.isin AND x.mic = k.mic AND x.register = '{merge.register}')
        AND {_is_published(merge, "l", "listing")}"""


def _is_published(merge: MergeContext, row: str, origin: str) -> str:
    """SQL: whether a listing or version is not withdrawn by a republished file."""
    if not merge.replacement:
        return "1 = 1"
    return f"""NOT EXISTS (
        SELECT 1 FROM temp.withdrawn_record w WHERE w.isin = {row}.isin AND w.mic = {row}.mic
        AND w.origin = '{origin}' AND w.row_id = {row}.id)"""


def _fill_timeline(merge: MergeContext) -> str:
    """Put every record ever read of these listings into `timeline`.

    A record is kept where it is the first of its content. The effective order is that of publication,
    but for lists of cancelled records: what these repeat comes before the cancellation that it repeats.
    It became known with the first of the files that have it: a republished file may be newer than a later one
    that repeats the record. The last day of a kept record is the day before the next one's `valid_from`.
    """
    same_record = (
        "isin, mic, status, fingerprint, CASE WHEN is_list = 1 THEN NULL ELSE valid_from END"
    )
    publication_order = "sequence, position, fingerprint, source_rank"
    effective_order = f"""effective_sequence,
        CASE WHEN effective_sequence < sequence THEN 0 ELSE 1 END, {publication_order}"""
    is_list = f"CASE WHEN f.kind IN ({CANCELLATION_LISTS}) THEN 1 ELSE 0 END"
    return f"""
        WITH published AS (
            SELECT l.isin, l.mic, {_PUBLISHED_STATUS} AS status, l.valid_from, l.fingerprint,
                f.sequence, l.source_position AS position, {is_list} AS is_list,
                'listing' AS origin, l.id AS row_id, 0 AS source_rank,
                f.published_on AS file_day, coalesce(l.known_from, f.published_on) AS known_day
            FROM {LISTING} l JOIN {FILE} f ON f.id = l.source_file_id
            WHERE {_is_unresolved_listing(merge)}
            UNION ALL
            SELECT v.isin, v.mic, v.status, v.valid_from, v.fingerprint,
                f.sequence, v.source_position, {is_list}, 'version', v.id, 0,
                f.published_on, coalesce(v.known_from, f.published_on)
            FROM ({_unresolved_keys(merge)}) k
            CROSS JOIN {VERSION} v
                ON v.isin = k.isin AND v.mic = k.mic AND v.register = '{merge.register}'
            CROSS JOIN {FILE} f ON f.id = v.source_file_id
            WHERE {_is_published(merge, "v", "version")}
            UNION ALL
            SELECT s.isin, s.mic, s.status, s.valid_from, s.fingerprint, {merge.staged_sequence},
                {merge.staged_position}, {merge.staged_is_list}, 'staged', s.position, 1,
                {merge.staged_published_on},
                coalesce({merge.staged_known_from}, {merge.staged_published_on})
            FROM stage.record s JOIN temp.record_outcome o ON o.position = s.position
            WHERE o.outcome IS NULL
        ), placed AS (
            SELECT published.*, CASE WHEN is_list = 0 THEN sequence ELSE coalesce(
                max(CASE WHEN status = 'cancelled' AND is_list = 0 THEN sequence END) OVER (
                    PARTITION BY isin, mic ORDER BY {publication_order}
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
                min(CASE WHEN is_list = 1 THEN sequence END) OVER (PARTITION BY isin, mic))
                END AS effective_sequence
            FROM published
        ), numbered AS (
            SELECT placed.*,
                CASE WHEN is_list = 1 AND sequence > min(
                    CASE WHEN status = 'cancelled' THEN sequence END
                ) OVER (PARTITION BY isin, mic, fingerprint) THEN 2
                ELSE row_number() OVER (PARTITION BY {same_record} ORDER BY {publication_order})
                END AS occurrence,
                min(origin) OVER (PARTITION BY {same_record}) AS same_as,
                min(known_day) OVER (PARTITION BY {same_record}) AS first_known
            FROM placed
        ), kept AS (
            SELECT numbered.*,
                lead(valid_from) OVER (PARTITION BY isin, mic ORDER BY {effective_order}) AS next_from
            FROM numbered WHERE occurrence = 1
        )
        INSERT INTO temp.timeline
            (isin, mic, origin, same_as, row_id, is_kept, is_last, valid_to, known_from)
        SELECT isin, mic, origin, same_as, row_id, 1,
            CASE WHEN next_from IS NULL THEN 1 ELSE 0 END, {day_before("next_from")},
            CASE WHEN first_known > file_day THEN first_known END
        FROM kept
        UNION ALL
        SELECT isin, mic, origin, same_as, row_id, 0, 0, NULL, NULL
        FROM numbered WHERE occurrence > 1
    """


_SUPERSEDE_BY_TIMELINE = """
    INSERT INTO temp.superseded_listing (listing_id, position, valid_to)
    SELECT t.row_id, n.row_id, CASE WHEN t.is_kept = 1 THEN t.valid_to END
    FROM temp.timeline t LEFT JOIN temp.timeline n
        ON n.isin = t.isin AND n.mic = t.mic AND n.origin = 'staged' AND n.is_last = 1
    WHERE t.origin = 'listing' AND t.is_last = 0
"""


def write_timelines(merge: MergeContext) -> None:
    """Bring listings and versions to what `timeline` says, and resolve the outcomes that were left open.

    Called after `replace_superseded`. Only rows that differ are written.
    """
    columns, values = _inserted(merge, known_from="t.known_from")
    staged = """FROM stage.record s
        JOIN temp.timeline t ON t.origin = 'staged' AND t.row_id = s.position"""
    restored = ", ".join(f"{column} = v.{column}" for column in _RECORD if column not in _KEY)
    merge.execute(
        # Records that come late, below a newer one.
        f"""INSERT OR FAIL INTO {VERSION} ({columns}, valid_to)
            SELECT {values}, t.valid_to {staged} WHERE t.is_kept = 1 AND t.is_last = 0""",
        f"""UPDATE {VERSION} SET valid_to = t.valid_to FROM temp.timeline t
            WHERE t.origin = 'version' AND t.row_id = {VERSION}.id
            AND t.is_kept = 1 AND t.is_last = 0 AND t.valid_to <> {VERSION}.valid_to""",
        # The newest of several records of a listing that was not known before.
        f"""INSERT OR FAIL INTO {LISTING} ({columns}, change_id) SELECT {values}, {merge.change}
            {staged} JOIN temp.record_outcome o ON o.position = s.position AND o.outcome IS NULL
            WHERE t.is_last = 1 AND o.listing_id IS NULL""",
        # A version that is the newest record after all: what superseded it was published before it.
        f"""UPDATE {LISTING} SET change_id = {merge.change}, dropped_by_id = NULL, {restored}
            FROM {VERSION} v JOIN temp.timeline t ON t.origin = 'version' AND t.row_id = v.id
            WHERE t.is_last = 1 AND {LISTING}.isin = t.isin AND {LISTING}.mic = t.mic
            AND {LISTING}.register = '{merge.register}'""",
        f"DELETE FROM {VERSION} WHERE id IN (SELECT row_id FROM {_DELETED_VERSIONS})",
        # Staged records that took the place of a listing.
        f"""UPDATE {LISTING} SET known_from = t.known_from FROM temp.timeline t
            WHERE t.origin = 'staged' AND t.is_last = 1 AND {LISTING}.isin = t.isin
            AND {LISTING}.mic = t.mic AND {LISTING}.register = '{merge.register}'
            AND {LISTING}.known_from IS DISTINCT FROM t.known_from""",
        _RESOLVE_OUTCOMES,
    )


_DELETED_VERSIONS = "temp.timeline WHERE origin = 'version' AND (is_kept = 0 OR is_last = 1)"


def count_deleted_versions(merge: MergeContext) -> int:
    """Return the number of versions that `write_timelines` deletes."""
    return merge.count(_DELETED_VERSIONS)


# A record that is in the listing already, but was published before that, counts as unchanged.
_RESOLVE_OUTCOMES = """
    UPDATE temp.record_outcome SET outcome = CASE
        WHEN t.is_kept = 0 THEN 'unchanged'
        WHEN t.is_last = 0 THEN 'late'
        WHEN temp.record_outcome.listing_id IS NULL THEN 'new'
        WHEN t.same_as = 'listing' THEN 'unchanged'
        ELSE 'changed' END
    FROM temp.timeline t
    WHERE temp.record_outcome.outcome IS NULL AND t.origin = 'staged'
        AND t.row_id = temp.record_outcome.position
"""
