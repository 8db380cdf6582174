# make run     the whole system on this machine      make test    lint and every test
# make setup   .venv/ with what both of them need    make help    all targets
SHELL := /bin/bash
.DEFAULT_GOAL := help

SCENARIO ?= incident
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Two empty files remember what was done, so that a second run costs nothing.
INSTALLED := $(VENV)/.installed
LINKED := $(VENV)/.linked

.PHONY: help setup run test lint format schemas bench chaos lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(INSTALLED) $(LINKED) ## make .venv/ from the pinned, hashed requirements

# An environment that works is kept and only brought up to date: others may be running in it.
$(BIN)/python:
	@found=; for candidate in $(PYTHON) python3.12 python3.11 python3 python; do \
	  if $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
	    2>/dev/null; then found=$$candidate; break; fi; done; \
	test -n "$$found" || { echo "make setup: needs Python 3.11 or 3.12 on the path" \
	  "(or: make setup PYTHON=/path/to/python3.12)" >&2; exit 1; }; \
	echo "setup: $$($$found --version) -> $(VENV)"; \
	$$found -m venv --clear $(VENV)

# durable-rules comes as source, and pip needs a C compiler for it.
$(INSTALLED): requirements/dev.txt | $(BIN)/python
	@command -v cc >/dev/null || command -v gcc >/dev/null || { echo "make setup: needs a C" \
	  "compiler (Debian: apt-get install gcc libc6-dev)" >&2; exit 1; }
	@echo "setup: installing $$(grep -c '==' $<) pinned packages (about a minute the first time)"
	@$(PIP) --require-hashes --requirement $<
	@touch $@

# The project is linked, not copied, with the build backend that is pinned beside everything else.
# By a relative path: Python reads the link in the encoding of the terminal, and a folder may be
# called Rösterei.
$(LINKED): pyproject.toml $(INSTALLED)
	@$(PIP) --no-deps --no-build-isolation --editable .
	@for link in $(VENV)/lib/python3*/site-packages/_autonomy_governance.pth; do \
	  echo ../../../.. > "$$link"; done
	@touch $@
	@echo "setup: done"

run: setup ## everything on this machine, with demo traffic (SCENARIO=incident|healthy|slow-burn|flood|poison|none)
	$(BIN)/governance up --scenario $(SCENARIO)

# A file goes to one process, since what its tests share is made once for it. In the order of the
# folders, not of their size: the files with few tests are those that wait for Kafka.
JOBS ?= 2

test: lint ## lint, then every test but the long ones, in JOBS=2 processes
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

lint: setup ## ruff, mypy --strict, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## let ruff arrange the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: setup ## write docs/schemas/ and docs/asyncapi.yaml anew from the models
	$(BIN)/python -m schemas.export

bench: setup ## measure, and write bench/results/latest.json
	$(BIN)/python -m bench

chaos: setup ## kill processes on purpose, for minutes
	$(BIN)/python -m pytest -m chaos

# The pins name versions and hashes and no address: whoever installs chooses the registry.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE)

lock: setup ## pin anew what pyproject.toml and jgo.toml ask for (UPGRADE=--upgrade for newer versions)
	$(COMPILE) --output-file requirements/runtime.txt pyproject.toml
	$(COMPILE) --output-file requirements/dev.txt --constraint requirements/runtime.txt \
	  --group dev pyproject.toml
	$(BIN)/python -m embedded.jars

clean: ## remove what was built; var/ and logs/ stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
