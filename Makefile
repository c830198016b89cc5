# The acts of this project; each has one name.
# The two that a newcomer types, `make demo` and `make test`, do all their own set-up.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test check format frontend docs bench soak clean

help:  ## List the acts
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed  ## Make a slide, serve it, read it through DICOMweb, and show it
	$(BIN)/wsiweb demo

test: $(VENV)/.installed-for-tests  ## Set up, then check the code and run all tests
	./tests/set-up-tools
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest

check: $(VENV)/.installed-for-tests  ## Lint, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

format: $(VENV)/.installed-for-tests  ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

frontend:  ## Build the pages and the widget again at each change (with node)
	cd wsiweb/viewer/frontend && npm ci --ignore-scripts && npm run watch

docs: $(VENV)/.installed-for-docs  ## Build the documentation into site/
	$(BIN)/mkdocs build --strict

bench: $(VENV)/.installed-for-tests  ## Measure all libraries, and write docs/benchmarks.md (45 minutes)
	./tests/set-up-tools || true
	$(BIN)/python -m wsiweb_benchmarks run --out docs/benchmarks.json
	$(BIN)/python -m wsiweb_benchmarks report docs/benchmarks.json --out docs

soak: $(VENV)/.installed-for-tests  ## Kill a sender a hundred times, and look that nothing is lost
	WSIWEB_SOAK=100 $(BIN)/python -m pytest -q --timeout 3600 tests/outbox/test_soak.py

clean:  ## Remove what the acts above made
	rm -rf $(VENV) site wsiweb-demo .hypothesis .pytest_cache .ruff_cache
	rm -rf wsiweb/viewer/static wsiweb/viewer/frontend/node_modules wsiweb/viewer/frontend/build

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "wsiweb needs Python 3.11 or later; name one: make PYTHON=python3.12 ..."; exit 1; }
	@# Debian's python3 without python3-venv leaves half an environment behind: begin anew.
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "Python cannot make virtual environments here; on Debian: apt install python3-venv"; \
	    exit 1; }

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fast]'
	@touch $@

$(VENV)/.installed-for-tests: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test,check]'
	@# What wsidicom and ez-wsi-dicomweb each ask for excludes the other; this lets both run.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	    'dataclasses-json>=0.6' typing-inspect mypy-extensions
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-for-docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@
