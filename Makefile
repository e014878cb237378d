# Needs Python 3.11 or newer and make; everything else is set up inside the clone, in .venv.

VENV := .venv
PEERS := faststream quixstreams
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# A file of its own marks each finished half, so that `make install` does nothing when up to date.
DEPENDENCIES := $(VENV)/.dependencies-installed
PROJECT := $(VENV)/.project-installed

# Where bytecode may not be cached, each of the many processes here compiles its imports anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test check fmt generate bench chaos coverage lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(PROJECT)  ## set up .venv: Python packages by their hashes, and the colophon command

demo: install  ## the whole pipeline on sample data, from job events to posted invoices
	@$(BIN)/colophon demo $(ARGS)

# Each worker has servers of its own; much of a test's time is waiting, so that three suit two cores.
WORKERS ?= 3
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

test: install  ## every test: unit, contract, integration, end to end
	$(PYTEST) $(ARGS)

check: install  ## what must hold before a commit: format, lint, types, imports, quick tests, generated parts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) tests/unit tests/contract
	$(BIN)/python -m shared.generate --check

fmt: install  ## format, and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: install  ## write the generated parts: README tables, diagrams, dashboards
	$(BIN)/python -m shared.generate

bench: install $(PEERS:%=$(VENV)/peers/%/.installed)  ## how fast it is on this machine, beside its peers
	$(BIN)/python -m tests.benchmarks --size=$(BENCH) $(ARGS)

LONG_TESTS := tests/integration/runtime/test_outages.py tests/integration/runtime/test_waiting.py

chaos: install  ## the whole pipeline under random faults: SEED=1 MINUTES=5; LONG=1 for long outages
	$(if $(LONG),COLOPHON_TEST_LENGTH=full $(PYTEST) $(LONG_TESTS))
	@$(BIN)/python -m tests.chaos --seed $(or $(SEED),1) --minutes $(or $(MINUTES),5) $(ARGS)

# Their pins differ from ours, so each has an environment of its own.
$(VENV)/peers/%/.installed: tests/benchmarks/peers/%.lock | $(PROJECT)
	@$(BIN)/python -m venv --clear $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r $<
	@touch $@

coverage: install  ## every test with branch coverage, and the floors it must keep
	$(BIN)/python -m coverage erase
	$(PYTEST) --cov --cov-report= $(ARGS)
	$(BIN)/python -m coverage report --include='services/*/domain.py,services/*/domain/*' --fail-under=100
	$(BIN)/python -m coverage report --include='$(RUNTIME)' --fail-under=95
	$(BIN)/python -m coverage report

RUNTIME := shared/runtime/*,shared/inbox.py,shared/outbox.py,shared/held.py,shared/retry.py

lock: install  ## resolve the newest versions that pyproject.toml admits, into the lock files
	$(PIP) install --quiet --upgrade uv
	$(LOCK) --extra local --extra dev --extra tracing -o requirements.lock pyproject.toml
	$(LOCK) --extra build --extra tracing -c requirements.lock -o deploy/docker/requirements.lock pyproject.toml
	for peer in $(PEERS); do $(LOCK) -o tests/benchmarks/peers/$$peer.lock tests/benchmarks/peers/$$peer.in; done

# For every platform and every Python from 3.11 on; it names no index, so that any mirror serves.
LOCK = $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-annotate --custom-compile-command 'make lock'

clean:  ## remove what was built or written inside the clone, .venv too
	rm -rf $(VENV) .colophon build dist *.egg-info .coverage .coverage.* \
		.hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --no-compile: compiling all modules takes a third of the installation, and few are ever imported.
$(DEPENDENCIES): requirements.lock
	@python=; for name in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
		if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
		then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo 'Colophon needs Python 3.11 or newer: install one, or name it: make PYTHON=python3.12.' >&2; \
		exit 1; \
	fi; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$python has no venv module: on Debian or Ubuntu run 'apt-get install python3-venv', then make again." >&2; \
		exit 1; \
	fi; \
	echo "Setting up .venv with $$($$python --version): $$(grep -c '^[a-z]' requirements.lock) packages, about a minute the first time."; \
	$$python -m venv $(VENV)
	@$(PIP) install --quiet --no-compile --no-deps --require-hashes -r requirements.lock
	@touch $@

$(PROJECT): $(DEPENDENCIES) pyproject.toml
	@PYTHONWARNINGS=ignore $(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
