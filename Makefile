# Needs Python 3.11+ with its headers, a C++ compiler, make and git. Everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
CORE := $(shell find src/kernels -type f 2>/dev/null)

.PHONY: help install demo test test-all test-core bench docs wheels lint clean

help:
	@echo "make demo      install, train on scikit-learn's handwritten digits, predict"
	@echo "make test      install, run the quick tests"
	@echo "make test-all  the slow tests too"
	@echo "make test-core the compiled core under sanitizers, and as on older CPUs"
	@echo "make docs      the documentation site, into build/site"
	@echo "make wheels    an sdist and wheels, into dist"
	@echo "make bench     measure this machine against its peers"
	@echo "make lint      ruff and mypy"
	@echo "make install   .venv with everything that training and the tests need"

install: .venv/installed

.venv/installed: pyproject.toml CMakeLists.txt $(CORE)
	@$(PYTHON) tools/check_build.py
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[train,distributed,dev]'
	@touch $@

demo: install
	$(BIN)/darter demo

test: install
	$(BIN)/python -m pytest -n auto

test-all: install
	$(BIN)/python -m pytest -n auto -m "slow or not slow"

test-core: install
	tests/sanitized address
	tests/sanitized thread
	$(BIN)/python -m pytest -m "slow or not slow" tests/kernels/test_thread_pool.py
	tests/aarch64
	DARTER_ISA=avx2 $(BIN)/python -m pytest tests/kernels tests/conv tests/picture tests/dataset tests/net/plan
	DARTER_ISA=scalar $(BIN)/python -m pytest tests/kernels tests/conv tests/picture tests/dataset tests/net/plan

docs: install
	$(BIN)/pip install --quiet --disable-pip-version-check -r docs/requirements.txt
	$(BIN)/python -m mkdocs build --strict --quiet

wheels:
	tools/wheels

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	$(BIN)/darter bench

clean:
	rm -rf build .venv .pytest_cache .mypy_cache .ruff_cache
