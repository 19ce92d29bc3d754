# heedful: every command below makes its own environment first (.venv, by `make setup`).
#
#   make demo      translate, then watch a tiny model learn (90 seconds)
#   make test      all tests, on two processes
#   make test-all  the slow ones too
#   make check     lint, format, types, layers, budgets, documents
#   make bench     every measurement in benchmarks/ (long)
#   make bench-train   training speed against other toolkits, which it installs (45 minutes)
#   make bench-decode  decoding speed against other engines (MODEL=runs/multi30k/model)
#   make bench-serve   heed serve under load, and CTranslate2 behind a server (15 minutes)
#   make claims    what the paper claims, measured in quick (5 minutes); make claims-full: whole, resumable (long)
#   make bench-play    how long the playground takes in a real browser (5 minutes)
#
# PYTHON names the Python to build .venv with: make setup PYTHON=python3.12

PYTHON ?= python3
PROCESSES ?= 2

BIN := .venv/bin
STAMP := .venv/.made
IN_VENV := $(BIN)/python -m
LINT_IMPORTS := $(BIN)/python -c 'import sys, importlinter.cli as c; sys.exit(c.lint_imports_command())'

# Data for measuring, where it lies beside the checkout; tests skip with a reason where it does not.
ifneq ($(wildcard ../shared/data),)
export HEEDFUL_DATA ?= $(abspath ../shared/data)
endif

.PHONY: setup demo test test-all check bench bench-train bench-decode bench-serve bench-play claims claims-full

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt tools/make_venv.py
	$(PYTHON) tools/make_venv.py
	@touch $@

demo: setup
	$(IN_VENV) heedful demo

test: setup
	$(IN_VENV) pytest -n $(PROCESSES) --dist worksteal

test-all: setup
	$(IN_VENV) pytest -m ""

check: setup
	$(IN_VENV) ruff check
	$(IN_VENV) ruff format --check
	$(IN_VENV) mypy
	$(LINT_IMPORTS)
	$(IN_VENV) pytest -n $(PROCESSES) --dist worksteal tests/hygiene

bench: setup
	@for script in benchmarks/*.py; do $(BIN)/python "$$script" || exit 1; done

bench-train: setup
	@held=constraints.txt; [ ! -f .venv/constraints.txt ] || held=.venv/constraints.txt; \
		$(IN_VENV) pip install -q -c $$held --group bench
	$(BIN)/python benchmarks/train_speed.py

MODEL ?= runs/multi30k/model

bench-decode: setup
	$(BIN)/python benchmarks/decode_speed.py --model $(MODEL)

bench-serve: setup
	$(BIN)/python benchmarks/serve_load.py

bench-play: setup
	$(BIN)/python benchmarks/playground_latency.py

claims: setup
	$(IN_VENV) heedful claims --out runs/claims-quick

claims-full: setup
	$(IN_VENV) heedful claims --full --out benchmarks/results/claims
	$(IN_VENV) heedful claims --document docs/claims.md --out benchmarks/results/claims
