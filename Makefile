# Every target sets up .venv by itself. Assumed: python3 (3.11 to 3.13) with venv, make and git.
# On Linux without a GPU, PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu" gets the smaller build of PyTorch.

PYTHON ?= python3
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help lab grade test build data bench release clean

help: ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "Python 3.11 to 3.13 is needed, this is " + sys.version.split()[0] + ". Name another with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e '.[dev]'
	@touch $@

lab: $(READY) ## open JupyterLab on the student notebooks
	$(BIN)/course lab

grade: $(READY) ## grade an example class through nbgrader and print its table
	$(BIN)/python -m autograde.example_class

test: $(READY) ## lint, then all tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

build: $(READY) ## make notebooks/ and the solved notebooks from solutions/*.py
	$(BIN)/course build

data: $(READY) ## make data/ anew from its grammar
	$(BIN)/python -m course.corpus_build

bench: $(READY) ## measure speed and memory, as ratios
	$(BIN)/python -m benchmarks

release: $(READY) ## write what students get to build/course.zip
	rm -f build/course.zip
	$(BIN)/course release build/course.zip

clean: ## remove what was built; submissions and the gradebook under build/ go too
	rm -rf build $(VENV) .pytest_cache .ruff_cache .hypothesis *.egg-info
