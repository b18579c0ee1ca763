# Every command that a person or CI needs. `make demo` and `make test` do all their own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Each run of a workflow loads the workflow modules anew: it need not compile them each time, wherever this is set.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install demo test lint format up clean lock catalogue histories

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

install: $(STAMP)  ## build .venv from the pinned lock

$(STAMP): pyproject.toml requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Relance needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: install  ## a year of billing in front of your eyes; KEEP=1 leaves everything running
	$(BIN)/relance sandbox demo $(if $(KEEP),--keep)

up: install  ## the sandbox, left running until Ctrl-C
	$(BIN)/relance sandbox up

test: install lint  ## lint, types and all tests
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

lint: install  ## ruff and mypy, both strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install  ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: install  ## pin again what pyproject.toml asks for
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --all-extras -o requirements-dev.lock

catalogue: install  ## write the catalogue of events into docs/events.md again
	$(BIN)/python -m starter.event_page

histories: install  ## record again the histories that are replayed by the tests; on purpose only
	PYTHONPATH=.:tests $(BIN)/python -m support.record_histories

clean:  ## remove what make built
	rm -rf $(VENV) .sandbox .demo build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
