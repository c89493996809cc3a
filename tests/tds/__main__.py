"""`python -m tests.tds make test-mssql` runs a command with such a server in its environment."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.tds import server

with tempfile.TemporaryDirectory() as folder, server.running(Path(folder)) as running:
    done = subprocess.run(sys.argv[1:], env={**os.environ, **running.settings}, check=False)
sys.exit(done.returncode)
