# `make demo` and `make test` need nothing but Python: the first of them also builds .venv.

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help install shell demo test lint wheels clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

install: $(STAMP) ## Create .venv with the project and its tools

# The stamp is younger than the two lists exactly when what they name is installed.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "salu-zoo needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || \
	  { echo "Creating .venv failed. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

shell: $(STAMP) ## A shell in which `zoo` and its Python are found
	@VIRTUAL_ENV="$(abspath $(VENV))" PATH="$(abspath $(BIN)):$$PATH" exec "$${SHELL:-/bin/sh}" -i

demo: $(STAMP) ## Real images, a trained SaluNet, ONNX Runtime: about a minute, no network
	HF_HUB_OFFLINE=1 $(BIN)/python demo/demo.py

# Two processes of one thread each: most tests compute on one core, and more threads would wait for each other. A process
# that crashes ends the run: pytest-xdist, told to replace it, may wait for its tests without end. Lint and types are
# tests too (tests/test_style.py); `make lint` is the quick way to them alone.
test: $(STAMP) ## All default tests, lint and types included
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadscope --max-worker-restart 0

lint: $(STAMP) ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# zig cross-compiles for all platforms; the first run also builds its C libraries and takes some minutes longer.
wheels: $(STAMP) ## Wheels with compiled operators and kernels, for each platform, in dist
	$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[wheels]'
	$(BIN)/python scripts/prebuilt_wheels.py --output dist

clean: ## Remove .venv and everything generated
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache demo/output build dist
