# Musubi: `make demo` plays the first trade, `make test` tests everything, `make` lists the rest.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal
# Servers and commands that tests start would otherwise compile the whole of it, each of them once more.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo serve test coverage check fix bench clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=/path/of/python" if sys.version_info < (3, 11) else 0)'
	@echo "Installing into $(VENV); once, for a minute or two ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY) ## play the first trade; DATA=path lists your own file or folder, KEEP=folder leaves the exchange there
	@$(BIN)/marketplace demo $(if $(DATA),"$(DATA)") $(if $(KEEP),--keep "$(KEEP)")

serve: $(READY) ## leave the exchange running with the demo world in it; PORT=8000
	@$(BIN)/marketplace demo --serve --port $(PORT)

test: $(READY) ## run every test; ARGS="tests/billing -k tax" runs some
	$(PYTEST) $(ARGS)

coverage: $(READY) ## run every test with the coverage gate; takes twice as long
	$(PYTEST) --cov --cov-report=term

check: $(READY) ## lint, types, architecture, dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

fix: $(READY) ## mend what the linters can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## print the figures as ratios to a stated limit
	$(BIN)/python -m benchmarks

clean: ## remove what was installed and generated
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage*
