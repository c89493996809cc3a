"""Another process that writes to a database until it is killed: both rows, in one transaction."""

import itertools
import sqlite3
import sys

connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
for number in itertools.count(1):
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE pair SET number = ? WHERE id IN (1, 2)", (number,))
    connection.execute("COMMIT")
