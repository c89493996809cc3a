"""The sequence of what was said of a listing, laid out anew: where records are late, repeated, cancelled, or
in a list of cancellations.
"""

import dataclasses

from instruments.listings.load.statements import (
    FILE,
    KEY,
    LISTING,
    LISTS,
    PUBLISHED_STATUS,
    TARGET,
    VERSION,
    Statements,
    assigned,
)
from instruments.staging.dialect import day_before

INDEXES = (
    "CREATE INDEX temp.timeline_row ON timeline (origin, row_id)",
    "CREATE INDEX temp.timeline_key ON timeline (isin, mic)",
    # Of a file that comes late that is every record.
    "CREATE INDEX temp.outcome_open ON outcome (position) WHERE outcome IS NULL",
)


@dataclasses.dataclass(frozen=True)
class Timeline:
    """The statements about listings whose outcome is open (NULL)."""

    of: Statements

    @property
    def lay_out(self) -> str:
        """Every record ever read of the listings in question, in publication order.

        `kept` where it is the first of its kind; `last` where it is the last kept; `valid_to` from
        the next kept one. `origin` says which table it is in, `row_id` which row; `also` is
        'listing' where the listing says the same ('listing' < 'staged' < 'version').
        """
        same = "isin, mic, status, fingerprint, CASE WHEN lists = 1 THEN NULL ELSE valid_from END"
        published = "sequence, position, fingerprint, place"
        order = f"stands, CASE WHEN stands < sequence THEN 0 ELSE 1 END, {published}"
        lists = f"CASE WHEN f.kind IN ({LISTS}) THEN 1 ELSE 0 END"
        return f"""
            CREATE TEMP TABLE timeline AS
            WITH said AS (
                SELECT l.isin, l.mic, {PUBLISHED_STATUS} AS status, l.valid_from, l.fingerprint,
                    f.sequence, l.source_position AS position, {lists} AS lists,
                    'listing' AS origin, l.id AS row_id, 0 AS place
                FROM {LISTING} l JOIN {FILE} f ON f.id = l.source_file_id
                WHERE l.id IN (SELECT listing_id FROM temp.outcome WHERE outcome IS NULL)
                UNION ALL
                SELECT v.isin, v.mic, v.status, v.valid_from, v.fingerprint,
                    f.sequence, v.source_position, {lists}, 'version', v.id, 0
                FROM (SELECT DISTINCT isin, mic FROM temp.outcome WHERE outcome IS NULL) k
                JOIN {VERSION} v
                    ON v.isin = k.isin AND v.mic = k.mic AND v.register = '{self.of.register}'
                JOIN {FILE} f ON f.id = v.source_file_id
                UNION ALL
                SELECT s.isin, s.mic, s.status, s.valid_from, s.fingerprint,
                    {self.of.sequence}, s.position, {int(self.of.lists)}, 'staged', s.position, 1
                FROM stage.record s JOIN temp.outcome o ON o.position = s.position
                WHERE o.outcome IS NULL
            ), placed AS (
                SELECT said.*, CASE WHEN lists = 0 THEN sequence ELSE coalesce(
                    max(CASE WHEN status = 'cancelled' AND lists = 0 THEN sequence END) OVER (
                        PARTITION BY isin, mic ORDER BY {published}
                        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
                    min(CASE WHEN lists = 1 THEN sequence END) OVER (PARTITION BY isin, mic))
                    END AS stands
                FROM said
            ), numbered AS (
                SELECT placed.*,
                    CASE WHEN lists = 1 AND sequence > min(
                        CASE WHEN status = 'cancelled' THEN sequence END
                    ) OVER (PARTITION BY isin, mic, fingerprint) THEN 2
                    ELSE row_number() OVER (PARTITION BY {same} ORDER BY {published}) END AS repeat,
                    min(origin) OVER (PARTITION BY {same}) AS also
                FROM placed
            ), ordered AS (
                SELECT numbered.*,
                    lead(valid_from) OVER (PARTITION BY isin, mic ORDER BY {order}) AS next_from
                FROM numbered WHERE repeat = 1
            ), made AS (
                SELECT isin, mic, origin, also, row_id, 1 AS kept,
                    CASE WHEN next_from IS NULL THEN 1 ELSE 0 END AS last,
                    {day_before("next_from")} AS valid_to
                FROM ordered
                UNION ALL
                SELECT isin, mic, origin, also, row_id, 0, 0, NULL FROM numbered WHERE repeat > 1
            ) SELECT * FROM made
        """

    @property
    def supersede(self) -> str:
        return """
            INSERT INTO temp.superseded (listing_id, position, valid_to)
            SELECT t.row_id, n.row_id, CASE WHEN t.kept = 1 THEN t.valid_to END
            FROM temp.timeline t LEFT JOIN temp.timeline n
                ON n.isin = t.isin AND n.mic = t.mic AND n.origin = 'staged' AND n.last = 1
            WHERE t.origin = 'listing' AND t.last = 0
        """

    @property
    def rearrange(self) -> list[str]:
        """Bring both tables to what the timeline says besides. Only rows that differ are written."""
        staged = """FROM stage.record s
                JOIN temp.timeline t ON t.origin = 'staged' AND t.row_id = s.position"""
        return [
            # Records that come late, below a newer one.
            f"""INSERT OR FAIL INTO {VERSION} ({self.of.target}, valid_to)
                SELECT {self.of.from_stage}, t.valid_to {staged} WHERE t.kept = 1 AND t.last = 0""",
            f"""UPDATE {VERSION} SET valid_to = t.valid_to FROM temp.timeline t
                WHERE t.origin = 'version' AND t.row_id = {VERSION}.id
                AND t.kept = 1 AND t.last = 0 AND t.valid_to <> {VERSION}.valid_to""",
            # The newest record of a listing that is there more than once, and was not there before.
            f"""INSERT OR FAIL INTO {LISTING} ({self.of.target}, change_id)
                SELECT {self.of.from_stage}, {self.of.change}
                {staged} JOIN temp.outcome o ON o.position = s.position AND o.outcome IS NULL
                WHERE t.last = 1 AND o.listing_id IS NULL""",
            # A version that is the newest after all: what superseded it was first published before.
            f"""UPDATE {LISTING} SET change_id = {self.of.change}, dropped_by_id = NULL,
                {assigned((c for c in TARGET if c not in KEY), "v")}
                FROM {VERSION} v JOIN temp.timeline t ON t.origin = 'version' AND t.row_id = v.id
                WHERE t.last = 1 AND {LISTING}.isin = t.isin AND {LISTING}.mic = t.mic
                AND {LISTING}.register = '{self.of.register}'""",
            f"""DELETE FROM {VERSION} WHERE id IN (SELECT row_id FROM temp.timeline
                WHERE origin = 'version' AND (kept = 0 OR last = 1))""",
        ]

    @property
    def settle(self) -> str:
        """Name the outcome of the records that went through the timeline."""
        return """
            UPDATE temp.outcome SET outcome = CASE
                WHEN t.kept = 0 THEN 'unchanged'
                WHEN t.last = 0 THEN 'late'
                WHEN temp.outcome.listing_id IS NULL THEN 'new'
                WHEN t.also = 'listing' THEN 'unchanged'  -- as it was, but published before that
                ELSE 'changed' END
            FROM temp.timeline t
            WHERE temp.outcome.outcome IS NULL AND t.origin = 'staged'
                AND t.row_id = temp.outcome.position
        """
