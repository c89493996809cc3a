"""`python -m tests.tds make test-mssql` runs a command with such a server in its environment."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.tds import server

with tempfile.TemporaryDirectory() as folder, server.running(Path(folder)) as running:
    known = {
        "AZURE_SQL_SERVER": "127.0.0.1",
        "AZURE_SQL_PORT": str(running.port),
        "AZURE_SQL_DATABASE": running.database.name,
        "AZURE_SQL_USERNAME": running.database.user,
        "AZURE_SQL_PASSWORD": running.database.password,
        "AZURE_SQL_TRUST_SERVER_CERTIFICATE": "true",
    }
    done = subprocess.run(sys.argv[1:], env={**os.environ, **known}, check=False)
sys.exit(done.returncode)
