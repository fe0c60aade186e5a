# make demo: install the runtime alone and analyse a portrait.   make test: install everything and run the tests.
VENV ?= .venv
# The first interpreter of a supported version that starts; `make PYTHON=…` overrides it.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := $(VENV)/bin

.PHONY: demo test lint format clean
.DELETE_ON_ERROR:

demo: $(VENV)/runtime
	@# The first run writes the bytecode of what is used, also where the environment forbids it.
	PYTHONDONTWRITEBYTECODE= $(BIN)/fervid demo

test: $(VENV)/dev
	$(BIN)/python -m pytest

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "fervid needs Python 3.11, 3.12 or 3.13 with venv; none was found. Try: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime: pyproject.toml | $(BIN)/python
	@# Compiling everything would add 66 MB of bytecode, most of which is never run.
	$(BIN)/python -m pip install --quiet --no-compile --editable .
	@touch $@

$(VENV)/dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/runtime

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache
