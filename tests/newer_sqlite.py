"""A plugin of pytest: `sqlite3` is pysqlite3, whose SQLite is newer than the one of Debian 12.

The image of the service has a newer one too (Debian 13), and it plans some statements in another way.
"""

import sys

import pysqlite3.dbapi2

sys.modules["sqlite3"] = pysqlite3
sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2
