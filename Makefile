# make demo   set up and run the eight schools, tables to the terminal, pictures to demo/
# make test   set up and run everything that is checked
# make bench  finetti beside its peers, which get an environment of their own
# make docs-check, make lint, make types: parts of `make test`; docs-check runs every example in docstrings and pages
# make validate   long: simulation-based calibration, and faults planted one by one to see that the tests notice

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
JOBS ?= auto

.PHONY: demo test test-quick docs-check lint types bench validate clean

demo: $(VENV)/ready
	$(BIN)/finetti schools --output demo

test: lint types test-quick

test-quick: $(VENV)/ready
	$(BIN)/python -m pytest -n $(JOBS)

docs-check: $(VENV)/ready
	$(BIN)/python -m pytest -n $(JOBS) tests/test_examples.py

lint: $(VENV)/ready
	$(BIN)/ruff check .

types: $(VENV)/ready
	$(BIN)/mypy

bench: $(VENV)/ready
	$(BIN)/python -m benchmarks

validate: $(VENV)/ready
	$(BIN)/python -m pytest -n $(JOBS) tests/validation

$(VENV)/ready: pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || (echo "Python 3.11 or newer is needed; say which with PYTHON=..." && false)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) .venv-* demo build dist
