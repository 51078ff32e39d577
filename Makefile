# The loop of work. `make` lists the targets; .ci/run calls `make test` and nothing more.

PYTHON ?= python3
BIN := .venv/bin
# Whatever hangs past the limits of the tests themselves ends here (seconds).
TEST_LIMIT ?= 1200

.DEFAULT_GOAL := help
.PHONY: help setup demo test fast test-full bench fmt lock clean
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

setup: .venv/.ready ## make .venv from requirements.lock (done by the others when needed)

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "crawler needs Python 3.11 or newer with venv: install python3 and python3-venv, or say make PYTHON=/path/to/python3"; exit 1; }
	@echo "setup: $$($(PYTHON) --version) in .venv"
	@$(PYTHON) -m venv .venv
	@echo "setup: packages of requirements.lock, checked against their hashes"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@echo "setup: crawler itself, editable"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## start the built-in site and crawl it
	@$(BIN)/python examples/demo.py

test: setup ## everything that must be green: format, lint, types, layers, tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@timeout --foreground --kill-after=10 $(TEST_LIMIT) $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

fast: setup ## the pure tests, in about two seconds
	@$(BIN)/pytest tests/core

test-full: setup ## the same as test, on both event loops, with the Debian packages of tests/debian.txt
	@if [ "$$(id -u)" = 0 ]; then \
	  echo "installing $$(cut -d' ' -f1 tests/debian.txt | xargs) with apt-get"; \
	  apt-get -qq update && cut -d' ' -f1 tests/debian.txt | DEBIAN_FRONTEND=noninteractive xargs apt-get -qq install --yes --no-install-recommends >/dev/null; \
	else echo "not root: using the Debian packages that are there"; fi
	@CRAWLER_TEST_FULL=1 $(MAKE) test

bench: setup ## the side-by-side benchmarks, one after the other
	@for script in $(sort $(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

fmt: setup ## format, and mend what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: ## resolve pyproject.toml into requirements.lock again (newest of everything: LOCK=--upgrade)
	@$(PYTHON) -m venv .venv/lock
	@.venv/lock/bin/python -m pip install -qq --disable-pip-version-check 'pip-tools>=7.5'
	@CUSTOM_COMPILE_COMMAND="make lock" .venv/lock/bin/pip-compile --quiet $(LOCK) --extra dev --build-deps-for editable \
	  --strip-extras --allow-unsafe --generate-hashes \
	  --no-emit-options --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  --output-file requirements.lock pyproject.toml

clean: ## remove .venv and every cache; runs in output/ stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
