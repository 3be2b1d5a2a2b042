# Everything runs from here as an ordinary user, without Docker. `make` alone lists the verbs.
VENV ?= .venv
PYTHON ?= python3
DATA ?= .data
PORT ?= 8000
WORKERS ?= 3
SECONDS ?= 60

BIN := $(VENV)/bin
STAMP := $(VENV)/.thidua-ready
COMPILE = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet

.DEFAULT_GOAL := help
.PHONY: help setup demo up test check audit sbom site chaos soak bench bench-record docs lock

help: ## list the verbs
	@echo "make VERB, where VERB is one of"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(STAMP) ## install into $(VENV), if anything has changed since the last time

$(STAMP): pyproject.toml requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed; '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)."; \
		echo "Install one and name it: make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make virtual environments."; \
		echo "Install that part (on Debian and Ubuntu: apt-get install python3-venv)."; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) (a minute or two the first time) ..."
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo "  installing the locked packages"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.lock
	@echo "  installing thidua itself"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
	@echo "  done"

demo: setup ## run everything and replay a simulated season on the board
	$(BIN)/thidua demo --data .data/demo --port $(PORT)

up: setup ## run everything on the data in $(DATA)
	$(BIN)/thidua up --data $(DATA) --port $(PORT)

test: setup ## run all tests, WORKERS at a time
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

check: setup sbom site ## lint, format, types, imports, security rules, known faults, deployment files; writes build/sbom.json
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive services contracts deploy
	@if test -x $(BIN)/hadolint; then echo $(BIN)/hadolint deploy/Dockerfile; $(BIN)/hadolint deploy/Dockerfile; \
	else echo "hadolint is not packaged for this machine: deploy/Dockerfile was not checked"; fi
	$(BIN)/python deploy/audit.py requirements/dev.lock build/audit.json; test $$? -ne 1  # who cannot ask says so; a known fault fails
	$(BIN)/kubernetes-validate --strict --quiet $(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/*/*.yaml deploy/kubernetes/*/*/*.yaml))

site: setup ## build the documentation site into build/site; a dead link fails
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -b html -c docs/site docs build/site

audit: setup ## compare the locked packages with known faults; needs the advisory service
	$(BIN)/python deploy/audit.py requirements/dev.lock build/audit.json

sbom: setup ## write what the image is made of to build/sbom.json (CycloneDX)
	@mkdir -p build
	$(BIN)/cyclonedx-py requirements requirements/embedded.lock --pyproject pyproject.toml --short-PURLs \
		--output-reproducible --output-file build/sbom.json

chaos: setup ## a storm of kills, pauses, cuts and clock jumps for SECONDS, drawn by SEED
	$(BIN)/python -m tests.chaos --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

soak: setup ## an hour of 300 events a second with mischief every half minute; prints memory and disk as they grow
	$(BIN)/python -m tests.chaos --seconds 3600 --rate 300 --between 30 $(if $(SEED),--seed $(SEED))

bench: setup ## measure on this machine
	$(BIN)/python -m tests.bench

bench-record: setup ## measure, and append one line of the figures to docs/bench.jsonl
	$(BIN)/python -m tests.bench --record docs/bench.jsonl

docs: setup ## write the AsyncAPI document of the events into docs/
	$(BIN)/thidua docs docs/

lock: setup ## choose package versions anew
	$(COMPILE) --upgrade --extra embedded --extra build --output-file requirements/embedded.lock
	$(COMPILE) --upgrade --all-extras --constraint requirements/embedded.lock --output-file requirements/dev.lock
	@! grep -nE '://|^--' requirements/*.lock || { echo "a lock names an address"; exit 1; }
