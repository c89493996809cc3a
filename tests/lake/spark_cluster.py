"""Read the lake by Spark, in a cluster of two workers: `python -m tests.lake.spark_cluster LAKE`.

It runs the recipe of docs/lake.md. Spark needs Java 17. It prints the counts of rows, those of listings by
category, the sum of a column, and a hash of the names of listings as JSON.
"""

import json
import os
import sys
from typing import Any

import xxhash
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from tests.lake.recipes import run_recipe

TABLES = ("instruments", "listings", "listing_versions", "underlyings")

# Two workers of a core and 1 GB each, in processes of their own, as on two machines.
_CLUSTER = "local-cluster[2,1,1024]"


def main(lake: str) -> None:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = (
        SparkSession.builder.master(_CLUSTER)
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.executor.memory", "512m")
        .config("spark.ui.enabled", "false")
        .config("spark.scheduler.minRegisteredResourcesRatio", "1.0")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    recipe: dict[str, Any] = run_recipe("Spark", lake, spark=spark, lake=lake)
    rows = {}
    for table in TABLES:
        recipe["open_current"](spark, lake, table)
        rows[table] = spark.table(table).count()
    listings = spark.table("listings")
    by_category = {
        row["category"]: row["count"] for row in listings.groupBy("category").count().collect()
    }
    total = listings.agg(f.sum("total_issued_nominal")).collect()[0][0]
    names = sorted(map(tuple, listings.select("isin", "mic", "full_name").collect()))
    workers = spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1
    spark.stop()
    digest = xxhash.xxh3_128_hexdigest(repr(names).encode())
    answer = {"workers": workers, "by_category": by_category, "total": str(total)}
    print(json.dumps({**answer, "rows": rows, "names": digest}))


if __name__ == "__main__":
    main(sys.argv[1])
