# Everything a newcomer runs. Needs python3 (3.11 or newer), python3-venv and make.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo install test lint types floors unit soak bench docs wire clean

# Install, then change a real SQLite database before your eyes.
demo: $(INSTALLED)
	@$(BIN)/python examples/quickstart/demo.py

install: $(INSTALLED)

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# Everything CI checks.
test: lint types floors unit

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

floors: $(INSTALLED)
	$(BIN)/lint-imports

unit: $(INSTALLED)
	$(BIN)/pytest --numprocesses 3 --dist worksteal --cov --cov-report term --cov-fail-under 80

# The same tests, repeated for long: kill an apply at least 200 times, 5,000 malformed requests, ...
soak: $(INSTALLED)
	KOLUMN_SOAK=1 $(BIN)/pytest -m soak

bench: $(INSTALLED)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python -m benchmarks --database sqlite
	$(BIN)/python -m benchmarks --database postgres
	$(BIN)/python -m benchmarks --database mysql --sizes 100,1000
	$(BIN)/python -m benchmarks --database duckdb

# Rewrite the documents that are generated from the code.
docs: $(INSTALLED)
	$(BIN)/python -m tools.provider_status
	$(BIN)/python -m tools.provider_reference
	$(BIN)/python -m tools.policy_reference

# Generate the code of the protocol from src/kolumn/rpc/wire/*.proto.
wire: $(INSTALLED)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[wire]'
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tools.rpc_code

clean:
	rm -rf .venv .cache .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build
