# Every target installs what it needs; a fresh clone needs only Python 3.11 or newer and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUN_READY := $(VENV)/.run-ready
DEV_READY := $(VENV)/.dev-ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Nothing is installed without a hash. pyvips alone has no wheel and is built, with what build.txt pins.
INSTALL := $(PIP) --require-hashes --only-binary :all: -r requirements/build.txt \
    && $(PIP) --require-hashes --only-binary :all: --no-binary pyvips --no-build-isolation -r
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url

# The tests start hundreds of processes, which would each compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install init doctor run demo demo-tour check test test-long test-postgresql format lint contracts types audit crash crash-cluster soak-load soak-quota bench bench-cluster lock clean

# Suites that also run on PostgreSQL, which the run starts itself.
ON_BOTH_DATABASES := tests/store tests/quota tests/generation tests/stories

# make soak-load: hours of simulated load, which runs ten times as fast.
HOURS ?= 1

# make crash and make crash-cluster: the number of kills, and the random seed (empty: 320 or 200, and a new one).
KILLS ?=
SEED ?=
CRASH_OPTIONS = $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED))

help: ## list the targets
	@awk '/^##@ / {printf "\n%s\n", substr($$0, 5)} \
	    /^[a-z-]+:.*## / {split($$0, target, ":"); sub(/.*## /, ""); printf "  make %-15s  %s\n", target[1], $$0}' \
	    $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Easel needs Python 3.11 or newer on the PATH."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Easel needs Python 3.11 or newer; $(PYTHON) is older."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUN_READY): requirements/build.txt requirements/run.txt | $(VENV)/bin/python
	$(INSTALL) requirements/run.txt
	@touch $@

$(DEV_READY): requirements/build.txt requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	$(INSTALL) requirements/dev.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@ $(RUN_READY)

##@ Use it

install: $(RUN_READY) ## install what the bot needs, also after an upgrade

init: $(RUN_READY) ## write config.toml: asks for the token and the key, and checks both
	@$(BIN)/python -m bot init

doctor: $(RUN_READY) ## check everything that the bot needs, and say what to do
	@$(BIN)/python -m bot check

run: $(RUN_READY) ## run the bot, with the settings in config.toml
	@$(BIN)/python -m bot run

demo: $(DEV_READY) ## try the bot in a browser, without any account
	@$(BIN)/python -m demo

demo-tour: $(DEV_READY) ## go through the demo in headless Chromium, with pictures in build/demo-tour
	@$(BIN)/python -m demo.tour

##@ Check it

check: $(DEV_READY) format lint contracts types audit test test-long test-postgresql ## everything that CI runs

test: $(DEV_READY) ## the tests
	$(BIN)/python -m pytest -n 4 --dist worksteal

test-long: $(DEV_READY) ## the tests that take too long for make test
	$(BIN)/python -m pytest -n 4 -m long

test-postgresql: $(DEV_READY) ## the tests of the store, quotas, generations and stories on PostgreSQL
	EASEL_TEST_DATABASE=postgresql $(BIN)/python -m pytest -n 4 --dist worksteal $(ON_BOTH_DATABASES)

format: $(DEV_READY) ## check the formatting (ruff)
	$(BIN)/ruff format --check .

lint: $(DEV_READY) ## check the code (ruff)
	$(BIN)/ruff check .

contracts: $(DEV_READY) ## check which package imports which (import-linter)
	$(BIN)/lint-imports

types: $(DEV_READY) ## check the types (basedpyright)
	$(BIN)/basedpyright

audit: $(DEV_READY) ## search the dependencies for known vulnerabilities
	@$(BIN)/python -m tests.audit

##@ Prove it

crash: $(DEV_READY) ## kill the bot hundreds of times and verify that nothing was lost
	$(BIN)/python -m tests.crash.run $(CRASH_OPTIONS)

crash-cluster: $(DEV_READY) ## the same with three processes on one PostgreSQL, which is stopped as well
	$(BIN)/python -m tests.crash.cluster $(CRASH_OPTIONS)

soak-load: $(DEV_READY) ## run the bot under load and verify the outcome
	$(BIN)/python -m tests.soak.load --hours $(HOURS)

soak-quota: $(DEV_READY) ## run ten thousand random commands against the quotas
	$(BIN)/python -m pytest tests/soak/quota_life.py

bench: $(DEV_READY) ## measure everything and write docs/performance.md (45 minutes)
	$(BIN)/python -m tests.bench

bench-cluster: $(DEV_READY) ## compare SQLite and PostgreSQL, one process and several (12 minutes)
	$(BIN)/python -m tests.bench.cluster

##@ Maintain it

lock: $(DEV_READY) ## pin the newest allowed dependencies, with hashes
	$(LOCK) --upgrade pyproject.toml --extra demo --group dev -o requirements/dev.txt
	$(LOCK) --constraint requirements/dev.txt --group build -o requirements/build.txt
	$(LOCK) --constraint requirements/dev.txt pyproject.toml -o requirements/run.txt

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
