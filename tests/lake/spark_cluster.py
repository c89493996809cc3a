"""Read a table of the lake by Spark, in a cluster of two workers: `python -m tests.lake.spark_cluster URI`.

The files are those that the log of the table names; Spark reads them as Parquet, and the partition from their
folders. Spark needs Java 17. It prints the counts by category and the sum of a column as JSON.
"""

import json
import os
import sys

import deltalake
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

# Two workers of a core and 1 GB each, in processes of their own, as on two machines.
_CLUSTER = "local-cluster[2,1,1024]"


def main(uri: str) -> None:
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
    files = deltalake.DeltaTable(uri).file_uris()
    listings = spark.read.option("basePath", uri).parquet(*files)
    by_category = {
        row["category"]: row["count"] for row in listings.groupBy("category").count().collect()
    }
    total = listings.agg(f.sum("total_issued_nominal")).collect()[0][0]
    workers = spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1
    spark.stop()
    print(json.dumps({"workers": workers, "by_category": by_category, "total": str(total)}))


if __name__ == "__main__":
    main(sys.argv[1])
