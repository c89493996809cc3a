"""A process that reads a SQLite file by ADBC: a query a line, and an Arrow stream as the answer to each.

It is a process of its own, because ADBC brings its own SQLite. When one of two SQLite libraries in a process
closes a file, the locks of the other on this file are lost (sqlite.org, "How To Corrupt An SQLite Database
File", 2.2.1). It also reads the next rows while the publishing process writes the last ones.
"""

import json
import sys
from typing import Any

import adbc_driver_manager.dbapi as adbc
import adbc_driver_sqlite
import pyarrow as pa

# The whole answer is one batch: the driver takes the types of columns from the first batch.
_BATCH = "adbc.sqlite.query.batch_rows"


def serve(path: str) -> None:
    """Answer queries until the input ends. All of them see the file as the first one does."""
    # Not autocommit: the first query begins the transaction in which all others read.
    with adbc.connect(driver=adbc_driver_sqlite._driver_path(), db_kwargs={"uri": path}) as own:
        own.execute("PRAGMA query_only=1").close()
        for line in sys.stdin:
            try:
                answer = _read(own, json.loads(line))
            except adbc.Error as error:
                answer = pa.table({"error": [str(error)]})
            with pa.ipc.new_stream(sys.stdout.buffer, answer.schema) as stream:
                stream.write_table(answer)
            sys.stdout.buffer.flush()


def _read(own: Any, question: dict[str, Any]) -> pa.Table:
    with own.cursor() as cursor:
        cursor.adbc_statement.set_options(**{_BATCH: str(question["rows"] + 1)})
        cursor.execute(question["sql"], question["parameters"])
        table: pa.Table = cursor.fetch_arrow_table()
    # Columns of joined tables may have the same name.
    return table.rename_columns([str(number) for number in range(table.num_columns)])


if __name__ == "__main__":
    serve(sys.argv[1])
