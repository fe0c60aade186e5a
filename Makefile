# make demo: install the runtime alone and analyse a portrait.   make serve: build the pages and open the web app.
# make test: install everything and run the tests, those of the pages too where Node.js is.
# make docs: build the documentation.   make docs-serve: show it at http://127.0.0.1:8643.
VENV ?= .venv
# The first interpreter of a supported version that starts; `make PYTHON=…` overrides it.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := $(VENV)/bin
WORKERS ?= 4
NODE_FITS = node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null \
	&& command -v npm >/dev/null
PAGES := src/fervid/web/static/index.html
PAGES_SOURCES := $(shell find frontend -name node_modules -prune -o -type f -print)

.PHONY: demo serve test test-slow test-pages lint format docs docs-serve wheel sbom clean
.DELETE_ON_ERROR:

demo: $(VENV)/runtime
	@# The first run writes the bytecode of what is used, also where the environment forbids it.
	PYTHONDONTWRITEBYTECODE= $(BIN)/fervid demo

serve: $(VENV)/web
	@if $(NODE_FITS); then $(MAKE) --no-print-directory $(PAGES); \
	else echo "Node.js 20.19 or newer and npm build the pages; they are not here, so this is the API alone." >&2; fi
	$(BIN)/fervid serve

# Many tests wait for servers and browsers: four processes keep two cores busy. Threads of their own would
# only wait for each other. Files with few and long tests begin early, which xdist would leave to the end. Hundreds of
# processes are started, which find the bytecode of the first, also where the environment forbids to write it.
PYTEST = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest \
	--numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

test: $(VENV)/dev test-pages
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/dev test-pages
	$(PYTEST) -m slow

test-pages:
	@if $(NODE_FITS); then $(MAKE) --no-print-directory frontend/node_modules/.checked; \
	else echo "Node.js 20.19 or newer and npm are not here: the pages are neither checked nor built." >&2; fi

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# Workers that a busy machine starts late are given up, with status 2.
	$(BIN)/mypy --num-workers 2 || { test $$? = 2 && $(BIN)/mypy; }
	$(BIN)/lint-imports

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/dev
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --quiet docs build/docs
	@echo "The pages are in build/docs/index.html"

docs-serve: docs
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/docs 8643

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "fervid needs Python 3.11, 3.12 or 3.13 with venv; none was found. Try: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@# The pip that Python 3.11 brings takes twice as long.
	$(PYTHON) -m venv --upgrade-deps $(VENV)

$(VENV)/runtime: pyproject.toml | $(BIN)/python
	@# Compiling everything would add 66 MB of bytecode, most of which is never run.
	$(BIN)/python -m pip install --quiet --no-compile --editable .
	@touch $@

$(VENV)/dev: pyproject.toml constraints.txt | $(BIN)/python
	@# Two thirds of 300 MB of source are never imported: what is, is compiled then.
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/runtime

$(VENV)/web: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[web]'
	@touch $@ $(VENV)/runtime

frontend/node_modules/.installed: frontend/package.json frontend/package-lock.json
	cd frontend && npm ci --no-audit --no-fund
	@touch $@

$(PAGES): $(PAGES_SOURCES) frontend/node_modules/.installed
	cd frontend && npm run build

frontend/node_modules/.checked: $(PAGES_SOURCES) frontend/node_modules/.installed
	cd frontend && npm run check
	$(MAKE) --no-print-directory $(PAGES)
	@touch $@

# The same tree gives the same bytes, here and elsewhere.
wheel: $(VENV)/dev
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist
	cd dist && sha256sum fervid-*

sbom: wheel
	$(BIN)/python release/sbom.py dist/fervid-*.whl --extra web -o dist/sbom.json

clean:
	rm -rf frontend/node_modules src/fervid/web/static
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache
