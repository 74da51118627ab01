# make demo and make test are the two commands; each does all of its own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := libs/protocol libs/producer libs/client services/edge libs/cli services/demo

.PHONY: help setup demo test browsers bench lint types check simulate faults rolling-update load lock clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(VENV)/.installed  ## Make .venv with everything in it, the tailrace command included

$(VENV)/.installed: requirements.txt $(addsuffix /pyproject.toml,$(PACKAGES))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tailrace needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11 setup")'
	@echo "setup: making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@echo "setup: installing the pinned requirements (about a minute the first time)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@echo "setup: installing Tailrace itself, editable"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(addprefix -e ,$(PACKAGES))
	@touch $@
	@echo "setup: done; the command is $(BIN)/tailrace"

demo: setup  ## Watch real work stream through two edges, one of which is killed half-way
	@$(BIN)/python -m tailrace_demo

test: setup check  ## Lint, check types, run every test (installs Chromium if root)
	@sh tests/setup.sh
	$(BIN)/pytest -n 4 --dist worksteal

browsers: setup  ## Check client, element and console in Firefox and WebKit, where they are installed
	$(BIN)/pytest -n 2 tests/browser/other_browsers/check_*.py

check: lint types

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

RUNS ?= 200000
simulate: setup  ## Run the engine through many more seeds: make simulate RUNS=1000000
	$(BIN)/pytest -n auto tests/simulation --simulation-runs $(RUNS) --timeout 0

bench: setup  ## Measure Tailrace beside its peers: make bench ONLY=fanout, make bench SHORT=1
	PYTHONPATH=loadtest $(BIN)/python -m bench $(if $(ONLY),--only $(ONLY)) $(if $(SHORT),--short)

EVENTS ?= 300000
faults: setup  ## Kill edges and brokers under a longer load: make faults EVENTS=1000000
	$(BIN)/pytest tests/integration/test_faults.py --fault-events $(EVENTS) --timeout 0

rolling-update: setup  ## Roll edges behind HAProxy while 2,000 clients watch: make rolling-update CLIENTS=500
	PYTHONPATH=loadtest $(BIN)/python -m rolling $(if $(CLIENTS),--clients $(CLIENTS)) $(if $(SHORT),--short)

load: setup  ## Load-test edges with locust: make load HOST=https://... USERS=2000 SCENARIO=deploy
	@PYTHONPATH=loadtest $(BIN)/python loadtest/locust/run.py $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(SHAPE),--shape $(SHAPE)) $(if $(HOST),--host $(HOST)) $(if $(USERS),--users $(USERS)) $(if $(SPAWN_RATE),--spawn-rate $(SPAWN_RATE)) $(if $(TIME),--time $(TIME)) $(if $(PROCESSES),--processes $(PROCESSES)) $(ARGS)

COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
OURS := $(foreach p,protocol producer client cli edge demo,--no-emit-package tailrace-$(p))
lock:  ## Pin and hash every requirement anew (needs uv)
	$(COMPILE) $(addsuffix /pyproject.toml,$(PACKAGES)) --group dev $(OURS) -o requirements.txt
	$(COMPILE) -c requirements.txt docker/build-requirements.in -o docker/build-requirements.txt
	$(COMPILE) tests/npm-requirements.in -o tests/npm-requirements.txt
	for name in requirements requirements-niquests; do \
		$(COMPILE) -c requirements.txt tests/conformance/third_party/$$name.in -o tests/conformance/third_party/$$name.txt; \
	done
	$(COMPILE) -c requirements.txt libs/protocol/pyproject.toml services/edge/pyproject.toml $(OURS) -o docker/edge-requirements.txt
	$(COMPILE) -c requirements.txt $(addsuffix /pyproject.toml,$(PACKAGES)) docker/loadtest-requirements.in $(OURS) -o docker/demo-requirements.txt

clean:  ## Remove everything that was made here
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis build
