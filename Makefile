# A fresh clone needs nothing else: `make demo` and `make test` set everything up by themselves.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV   ?= .venv
# Tests run side by side; more than this many do not pay, as each opens windows and loads torch.
WORKERS ?= 2
LOCK   := requirements/dev.txt
BIN    := $(VENV)/bin
# Made anew where the declared dependencies, the pins or the set-up itself changed.
READY  := $(VENV)/.ready

.PHONY: help
help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: system
system:
	@scripts/system-libraries.sh

$(READY): pyproject.toml $(LOCK) scripts/setup.sh | system
	@scripts/setup.sh "$(PYTHON)" "$(VENV)" "$(LOCK)"
	@touch $@

.PHONY: setup
setup: system $(READY) ## Set up the virtual environment in .venv

.PHONY: demo
demo: setup ## Reconstruct two pictures into demo-output/ and show them in napari
	$(BIN)/python scripts/demo.py

.PHONY: screenshot
screenshot: setup ## Make the README's picture of the window
	$(BIN)/python scripts/screenshot.py

.PHONY: test
test: lint docs pytest ## Every check: style, types, imports, documentation, tests

.PHONY: lint
lint: setup ## Style, types, direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: docs
docs: setup ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: pytest
pytest: setup ## Tests; those of the window run on a virtual display
	$(BIN)/python -m pytest -m "not gpu" --numprocesses $(WORKERS) --dist loadfile

.PHONY: test-gpu
test-gpu: setup ## Tests that need a CUDA device
	$(BIN)/python -m pytest -m gpu

.PHONY: format
format: setup ## Rewrite the code in the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: lock
lock: ## Pin the newest fitting versions of every development dependency
	scripts/lock.sh "$(PYTHON)" "$(LOCK)"

.PHONY: clean
clean: ## Remove everything that was made, .venv included
	rm -rf $(VENV) site dist build demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
