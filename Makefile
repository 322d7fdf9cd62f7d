# Musubi: make demo | test | serve | check | fix | bench
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo serve test check fix bench clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY) ## play the first trade; DATA=path lists your own file or folder
	@$(BIN)/marketplace demo $(if $(DATA),"$(DATA)")

serve: $(READY) ## leave the exchange running with the demo world in it; PORT=8000
	@$(BIN)/marketplace demo --serve --port $(or $(PORT),8000)

test: $(READY) ## run every test on the embedded PostgreSQL, with the coverage gate
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term $(ARGS)

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
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
