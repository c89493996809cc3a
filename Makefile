# The commands of the project. `make demo` and `make test` set up everything they need.
HOST ?= 127.0.0.1
PORT ?= 8000
RECORDS ?= 1000000
PYTHON ?= python3

BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
DEMO_ENV := HTTPS=false ANONYMOUS_READ=true ALLOWED_HOSTS=$(HOST),localhost,127.0.0.1
# The defaults of production, with a key that is thrown away: what tests and checks look at.
CLEAN_ENV := ENV_FILE=/dev/null SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_hex(32))')
# As in: make test ARGS="tests/instruments -k merge"
ARGS ?=

.PHONY: demo demo-data redis-server test check format bench clean
.DEFAULT_GOAL := demo

# A stamp holds what was installed: a changed pin installs anew.
.venv/bin/python:
	$(PYTHON) -m venv .venv || (rm -rf .venv && apt-get update -qq \
		&& apt-get install -y -qq python3-venv && $(PYTHON) -m venv .venv)

.venv/.installed: requirements.txt constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt
	@touch $@

.venv/.installed-dev: requirements-dev.txt requirements.txt constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	@touch $@ .venv/.installed

.env: | .venv/.installed
	@umask 077; $(BIN)/python -c "import secrets; print('SECRET_KEY=' + secrets.token_urlsafe(48))" > .env
	@echo "Wrote .env with a secret key of its own."

demo-data: .venv/.installed .env
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) load --skip-loaded tests/data/firds
	@$(MANAGE) create_admin
	@$(MANAGE) collectstatic --noinput --verbosity 0

demo: demo-data
	@echo "Serving http://$(HOST):$(PORT)/ (API docs: /api/docs/, admin: /admin/). Ctrl-C stops it."
	@$(DEMO_ENV) $(BIN)/gunicorn marketdata.wsgi --bind $(HOST):$(PORT) --workers 2 --log-level warning

# The tests that count in Redis start one of their own.
redis-server:
	@command -v redis-server >/dev/null || (apt-get update -qq && apt-get install -y -qq redis-server)

test: .venv/.installed-dev redis-server
	@$(CLEAN_ENV) $(BIN)/pytest $(ARGS)

check: .venv/.installed-dev
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

clean:
	rm -rf var .venv .env
