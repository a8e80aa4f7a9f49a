# Every target sets up what it needs: a fresh clone wants Python 3.11 or newer and make, nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUN_READY := $(VENV)/.run-ready
DEV_READY := $(VENV)/.dev-ready

.DEFAULT_GOAL := help
.PHONY: help demo test test-long run check format lint types contracts audit lock clean soak-quota soak-load crash bench

# For make soak-load: hours of work at KIE's limit, which it goes through ten times as fast.
HOURS ?= 1

# For make crash: how often, and from which seed the dice are thrown (empty: a new one).
KILLS ?= 320
SEED ?=

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Easel needs Python 3.11 or newer on the PATH."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Easel needs Python 3.11 or newer; $(PYTHON) is older."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUN_READY): requirements/run.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	@touch $@

$(DEV_READY): requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@ $(RUN_READY)

demo: $(DEV_READY) ## try the bot in a browser, without any account
	@$(BIN)/python -m demo

run: $(RUN_READY) ## run the bot for real, with config.toml
	@$(BIN)/python -m bot run

test: $(DEV_READY) ## run the tests
	$(BIN)/python -m pytest -n 4

test-long: $(DEV_READY) ## run the tests that make test leaves out
	$(BIN)/python -m pytest -n 4 -m long

soak-quota: $(DEV_READY) ## try ten thousand random commands against the quotas
	$(BIN)/python -m pytest tests/soak/quota_life.py

soak-load: $(DEV_READY) ## put the bot under load and audit it
	$(BIN)/python -m tests.soak.load --hours $(HOURS)

crash: $(DEV_READY) ## kill the bot hundreds of times and audit it
	$(BIN)/python -m tests.crash.run --kills $(KILLS) $(if $(SEED),--seed $(SEED))

bench: $(DEV_READY) ## measure everything, into docs/performance.md (three quarters of an hour)
	$(BIN)/python -m tests.bench

check: $(DEV_READY) format lint contracts types audit test ## everything CI runs

format: $(DEV_READY)
	$(BIN)/ruff format --check .

lint: $(DEV_READY)
	$(BIN)/ruff check .

contracts: $(DEV_READY)
	$(BIN)/lint-imports

types: $(DEV_READY)
	$(BIN)/basedpyright

audit: $(DEV_READY) ## look the dependencies up in the lists of known holes
	@$(BIN)/python -m tests.audit

lock: $(DEV_READY) ## pin the newest allowed versions, with hashes
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --upgrade pyproject.toml --extra demo --group dev -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --constraint requirements/dev.txt pyproject.toml -o requirements/run.txt

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
