# `make run` and `make test` set up everything they need in .venv; a second call starts at once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup run test test-learn lint format types contracts web web-check bench docs-check constraints clean-caches clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## create .venv with everything pinned by constraints.txt

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "Aurigrid needs Python 3.11 or newer, and '$(PYTHON)' was not found."; \
	  echo "Install one, or name it: make $(or $(MAKECMDGOALS),test) PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Aurigrid needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1)."; \
	  echo "Name a newer one: make $(or $(MAKECMDGOALS),test) PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "This Python has no venv module. On Debian or Ubuntu: sudo apt install python3-venv"; exit 1; }
	@echo "Setting up $(VENV); the first time downloads for a few minutes..."
	@# Rebuilt from nothing where an earlier set-up did not come to its end; brought up to date otherwise.
	@test -e $@ || { rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[grids,console,dispatch,plot,dev,bench]'
	@touch $@

run: $(STAMP) ## simulate one day of the German transmission grid, every outage, in full AC
	$(BIN)/aurigrid day

test: $(STAMP) ## the test suite
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

test-learn: $(STAMP) ## the tests that train, which `make test` skips: installs torch, gigabytes where only wheels with CUDA are found
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[learn]'
	$(BIN)/python -m pytest tests/learn

lint: $(STAMP) ## ruff: rules and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP) ## apply ruff's formatting and safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(STAMP) ## mypy
	$(BIN)/mypy

contracts: $(STAMP) ## import-linter: who may import whom
	$(BIN)/lint-imports

web: web/node_modules/.installed ## build the console's pages from web/ (needs Node.js 20.19 or newer)
	cd web && npm run --silent build -- --logLevel warn

web/node_modules/.installed: web/package.json web/package-lock.json
	@command -v npm >/dev/null 2>&1 || { \
	  echo "The console's pages are built with Node.js 20.19 or newer, and npm was not found."; \
	  echo "The built pages are in src/aurigrid/console/static; only changing them needs it."; exit 1; }
	cd web && npm ci --silent --no-audit --no-fund
	@touch $@

web-check: ## rebuild the pages and compare them with those that ship
	@rm -rf build/pages && mkdir -p build && cp -r src/aurigrid/console/static build/pages
	@$(MAKE) --no-print-directory web
	@diff -r build/pages src/aurigrid/console/static >/dev/null || { \
	  echo "The pages in src/aurigrid/console/static are not what web/ builds: run 'make web' and commit them."; exit 1; }

bench: $(STAMP) ## the benchmark tables, peers beside us
	$(BIN)/aurigrid bench

docs-check: $(STAMP) ## relative links in README and docs lead somewhere
	$(BIN)/python -m pytest -q tests/test_docs.py

constraints: $(STAMP) ## re-resolve constraints.txt (all transitive versions; needs uv)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --no-header --no-annotate --upgrade --quiet -o $(VENV)/resolved.txt
	@{ head -n 1 constraints.txt; cat $(VENV)/resolved.txt; } > $(VENV)/constraints.txt
	@mv $(VENV)/constraints.txt constraints.txt

clean-caches: ## forget compiled kernels (numba misses edits in other files)
	find src tests -type f \( -name '*.nbi' -o -name '*.nbc' \) -delete

clean: clean-caches ## remove .venv and all caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .import_linter_cache build dist
