# Everything runs in .venv, made from nothing but Python, git and make.
PYTHON ?= python3
# On Linux this is PyPI's build with CUDA, some gigabytes; for the CPU's alone:
#   make test TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.13.0
PYTEST_ARGS ?= -n 2
BENCH_ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
STAMPS := .venv/stamps
SOURCES := src tests benchmarks tools

.PHONY: help demo test soak lint format bench clean

help:
	@echo "make demo     train a small network on handwritten digits and write a report"
	@echo "make test     run the whole test suite"
	@echo "make soak     run the whole table of rules, codecs, dtypes and front ends"
	@echo "make lint     check style, types and the direction of imports"
	@echo "make format   rewrite the sources in the project's style, and the type stub"
	@echo "make bench    time a step beside its peers"
	@echo "make clean    remove .venv and what tools left behind"

demo: $(STAMPS)/run
	$(BIN)/adamas run digits-mlp

test: $(STAMPS)/test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# Every rule with every codec, dtype and front end, where `test` has every pair of two.
soak: $(STAMPS)/test
	ADAMAS_TEST_FULL=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(STAMPS)/lint
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/python tools/stubs.py --check
	$(BIN)/lint-imports

format: $(STAMPS)/lint
	$(BIN)/python tools/stubs.py
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: $(STAMPS)/test
	$(BIN)/python benchmarks/numpy_step.py $(BENCH_ARGS)
	$(BIN)/python benchmarks/torch_step.py $(BENCH_ARGS)
	$(BIN)/python benchmarks/rules_bandwidth.py $(BENCH_ARGS)
	$(BIN)/python benchmarks/low_bit_accuracy.py
	$(BIN)/python benchmarks/low_bit_memory.py
	$(BIN)/python benchmarks/minimize.py $(BENCH_ARGS)
	$(BIN)/python benchmarks/find_lr.py $(BENCH_ARGS)
	$(BIN)/python benchmarks/startup.py $(BENCH_ARGS)
	$(BIN)/python benchmarks/compile_time.py $(BENCH_ARGS)
	$(BIN)/python benchmarks/poor_minima.py $(BENCH_ARGS)

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist runs

# A stamp is newer than the pyproject.toml that it installed.

$(STAMPS):
	$(PYTHON) -m venv .venv
	mkdir -p $@

$(STAMPS)/run: pyproject.toml | $(STAMPS)
	$(PIP) --editable ".[run]"
	touch $@

$(STAMPS)/lint: pyproject.toml $(STAMPS)/torch
	$(PIP) --editable ".[lint]"
	touch $@

# By itself and before what needs it: asked for together with others, pip may take another build of torch.
$(STAMPS)/torch: | $(STAMPS)
	$(PIP) $(TORCH)
	touch $@

$(STAMPS)/test: pyproject.toml $(STAMPS)/torch
	$(PIP) --editable ".[test]"
	touch $@
