# Thin names for the commands that people run; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test check format bench lock

help: ## List these commands
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | column -t -s '|'

setup: $(VENV)/.run ## Make .venv with the locked dependencies

demo: $(VENV)/.run ## Serve a bank with the Flask questions on http://127.0.0.1:8000
	@$(BIN)/python manage.py demo $(ARGS)

serve: $(VENV)/.run ## Serve your own bank (make it first: python manage.py init)
	@$(BIN)/python manage.py serve $(ARGS)

test: $(VENV)/.dev ## Run the whole suite, on SQLite and PostgreSQL
	$(BIN)/python -m pytest -n auto $(ARGS)

check: $(VENV)/.dev ## Lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## Run the benchmarks (by hand, on a quiet machine)
	$(BIN)/python benchmarks/exchange.py
	$(BIN)/python benchmarks/apkg.py
	$(BIN)/python benchmarks/pages.py
	$(BIN)/python benchmarks/search.py
	$(BIN)/python benchmarks/bulk.py
	$(BIN)/python benchmarks/imports.py
	$(BIN)/python benchmarks/desk.py
	$(BIN)/python benchmarks/stalled.py

lock: $(VENV)/.dev ## Renew the lock files: versions and hashes, no addresses
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --no-annotate --python-version 3.11 -q -U pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --no-annotate --python-version 3.11 -q -U pyproject.toml \
		--group test --group check -c requirements.lock -o requirements-dev.lock

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The lock files name every package: without --no-deps an older pip looks for newer ones of
# what another asks for with an extra, and finds them without a hash.
$(VENV)/.run: requirements.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@touch $@
