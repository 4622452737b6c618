# A fresh clone needs Python 3.11 or newer and make, nothing else: `make run`.
PYTHON ?= python3
VENV := .venv/bin

.PHONY: run test check fix setup stop

setup:
	@$(PYTHON) -I config/local/install.py

run: setup
	@$(VENV)/python -m config.local run

test: setup
	@$(VENV)/python -m config.local test

check: setup
	@$(VENV)/python -m config.local check

fix: setup
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

stop:
	@$(VENV)/python -m config.local stop
