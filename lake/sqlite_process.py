"""A process that reads a SQLite file by ADBC: a query a line, and an Arrow stream as the answer to each.

It is a process of its own, because ADBC brings its own SQLite. When one of two SQLite libraries in a process
closes a file, the locks of the other on this file are lost (sqlite.org, "How To Corrupt An SQLite Database
File", 2.2.1). It also reads the next rows while the publishing process writes the last ones.

To start in a tenth of a second, with 40 MB, it does without `adbc_driver_manager.dbapi`, which imports polars
where it is installed, and without numpy and pandas, which pyarrow imports where they are.
"""

import json
import sys
from typing import Any

sys.modules["numpy"] = None  # type: ignore[assignment]  # as if it were not installed

import adbc_driver_manager as adbc  # noqa: E402
import adbc_driver_sqlite  # noqa: E402
import pyarrow as pa  # noqa: E402

# The whole answer is one batch: the driver takes the types of columns from the first batch.
_BATCH = "adbc.sqlite.query.batch_rows"


def serve(path: str) -> None:
    """Answer queries until the input ends. All of them see the file as the first one does."""
    with (
        adbc.AdbcDatabase(driver=adbc_driver_sqlite._driver_path(), uri=path) as database,
        adbc.AdbcConnection(database) as connection,
    ):
        with adbc.AdbcStatement(connection) as statement:
            statement.set_sql_query("PRAGMA query_only=1")
            statement.execute_update()
        # The first query begins the transaction in which all others read.
        connection.set_autocommit(False)
        for line in sys.stdin:
            try:
                answer = _read(connection, json.loads(line))
            except (adbc.Error, pa.ArrowException, OSError) as error:
                answer = pa.table({"error": [str(error)]})
            with pa.ipc.new_stream(sys.stdout.buffer, answer.schema) as stream:
                stream.write_table(answer)
            sys.stdout.buffer.flush()


def _read(connection: adbc.AdbcConnection, question: dict[str, Any]) -> pa.Table:
    with adbc.AdbcStatement(connection) as statement:
        statement.set_options(**{_BATCH: str(question["rows"] + 1)})
        statement.set_sql_query(question["sql"])
        if question["parameters"]:
            columns = {str(n): [value] for n, value in enumerate(question["parameters"])}
            statement.bind_stream(pa.table(columns))
        rows, _ = statement.execute_query()
        with pa.RecordBatchReader.from_stream(rows) as reader:
            table = reader.read_all()
    # Columns of joined tables may have the same name.
    return table.rename_columns([str(number) for number in range(table.num_columns)])


if __name__ == "__main__":
    serve(sys.argv[1])
