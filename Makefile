# `make demo` and `make test` are all a fresh clone needs; both make .venv first.
PYTHON ?= python3
# Hundreds of short processes are started: compiled once, each starts in a third of the time.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv/bin

.PHONY: demo test lint fix bench eval clean

.venv/.ready: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(VENV)/pip install --quiet --disable-pip-version-check uv
	$(VENV)/uv pip sync --quiet --require-hashes requirements.txt || $(VENV)/pip install --quiet --require-hashes -r requirements.txt
	$(VENV)/uv pip install --quiet --no-deps --no-build-isolation -e . || $(VENV)/pip install --quiet --no-deps --no-build-isolation -e .
	touch .venv/.ready

demo: .venv/.ready
	$(VENV)/patchbay demo

lint: .venv/.ready
	$(VENV)/ruff format --check .
	$(VENV)/ruff check .
	$(VENV)/mypy
	$(VENV)/lint-imports

test: lint
	$(VENV)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder --durations=15

fix: .venv/.ready
	$(VENV)/ruff format .
	$(VENV)/ruff check --fix .

eval: .venv/.ready
	$(VENV)/patchbay eval all

# BENCH="--rows 50000 --repeat 5 --postgres postgresql://postgres@127.0.0.1/postgres" for other sizes and a PostgreSQL
bench: .venv/.ready
	$(VENV)/python -m evals.benchmarks $(BENCH)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
