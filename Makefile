# Every chore is one command; `.ci/run` calls these and nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BENCH := .venv-bench
VERSIONS := .venv-versions
BIN := $(VENV)/bin
PIP := -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
ARGS ?=

.DEFAULT_GOAL := help
export FILTER ?=
.PHONY: help train test quick browser lint format gallery bench versions clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

# Stamps: one for users (`make train`), one that adds the tools of developers to the same environment. Both are renewed
# when the dependencies change; `touch` comes last, so that a failed install is repeated. Compiling bytecode is half of the
# work, so it is done on all cores after pip, which uses one; files that are no valid Python are skipped, as by pip.
COMPILE := $(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --no-compile --editable .
	$(COMPILE)
	touch $@

$(VENV)/developing: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --no-compile --editable '.[dev]'
	$(COMPILE)
	touch $(VENV)/installed $@

# timm needs torchvision, which cannot be imported beside a CPU build of torch, and Lightning imports torchvision wherever
# it is installed. So both go into a folder of their own.
$(VENV)/timm/installed: constraints.txt | $(VENV)/developing
	$(BIN)/python $(PIP) --no-deps --upgrade --target $(VENV)/timm timm torchvision
	touch $@

train: $(VENV)/installed ## train the default experiment; ARGS='transform=affine seed=1' changes it
	$(BIN)/stnkit train $(ARGS)

test: $(VENV)/developing $(VENV)/timm/installed ## run the whole test suite
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(ARGS)

quick: $(VENV)/developing ## run the tests that start no process and train no network, without the shape checks
	STNKIT_SHAPE_CHECKS=off $(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not slow and not process and not training" $(ARGS)

browser: ## install chromium and its driver where they are missing (Debian, as root): the page's tests need them
	command -v chromium >/dev/null && command -v chromedriver >/dev/null || \
		(apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-driver)

lint: $(VENV)/developing ## ruff check, ruff format --check, mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/developing ## let ruff rewrite the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

gallery: $(VENV)/installed ## draw the pictures of docs/families.md; ARGS=tps draws one family
	$(BIN)/python docs/gallery.py $(ARGS)

# Separate environment: the libraries in the comparison are not dependencies of stnkit.
$(BENCH)/installed: pyproject.toml constraints.txt benchmarks/requirements.txt
	test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python $(PIP) --editable . --requirement benchmarks/requirements.txt
	touch $@

bench: $(BENCH)/installed ## compare with other libraries, 15 minutes, into benchmarks/RESULTS.md; FILTER=tps prints a selection
	mkdir -p .benchmarks && rm -f .benchmarks/run.json
	cd benchmarks && ../$(BENCH)/bin/python -m pytest -c pytest.ini -k "$$FILTER" --benchmark-json=../.benchmarks/run.json $(ARGS)
	$(BENCH)/bin/python benchmarks/results.py .benchmarks/run.json $(if $(FILTER)$(ARGS),,benchmarks)

$(VERSIONS)/uv/installed: constraints.txt
	test -x $(VERSIONS)/uv/bin/python || $(PYTHON) -m venv $(VERSIONS)/uv
	$(VERSIONS)/uv/bin/python $(PIP) uv
	touch $@

versions: $(VERSIONS)/uv/installed ## install and test the lowest and newest versions that pyproject.toml allows; ARGS='--only lowest'
	$(VERSIONS)/uv/bin/python .ci/versions.py $(ARGS)

clean: ## remove the environments and what the tools left behind
	rm -rf $(VENV) $(BENCH) $(VERSIONS) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
