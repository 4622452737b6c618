# A fresh clone needs Python 3.11 or newer, and nothing else: `make run`.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv/bin
HOUSE := $(VENV)/python -m config.local

export PORT HOST DEMO

.PHONY: help setup run test check fix stop

help:
	@echo "make run     the whole house on this machine: PORT=8000, DEMO=0 without the demo"
	@echo "make test    all tests: ARGS='-k name' for some"
	@echo "make check   lint, format, types, imports, templates, translations, migrations, deployment"
	@echo "make fix     puts right what a program can"
	@echo "make setup   only what the others do first"
	@echo "make stop    stops private servers that were left running"

setup:
	@test -n "$(PYTHON)" || { echo "OpenTab needs Python 3.11 or newer."; exit 1; }
	@$(PYTHON) -I config/local/install.py
	@$(HOUSE) setup

run: setup
	@$(HOUSE) run

test: setup
	@$(HOUSE) test $(ARGS)

check: setup
	@$(HOUSE) check

fix: setup
	@$(HOUSE) fix

stop:
	@$(HOUSE) stop
