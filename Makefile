# Every chore is one command; `.ci/run` calls these and nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BENCH := .venv-bench
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
export FILTER ?=
.PHONY: help train test browser lint format gallery bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

# Installed anew when what is installed changes; `touch` comes last, so a broken install is tried again.
$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# Apart from the environment: beside a torch for the CPU, torchvision, which timm needs, cannot be imported as it is, and
# Lightning imports it where it finds it.
$(VENV)/timm/installed: constraints.txt | $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps --upgrade \
		--target $(VENV)/timm timm torchvision
	touch $@

train: $(VENV)/installed ## train the default experiment; ARGS='transform=affine seed=1' changes it
	$(BIN)/stnkit train $(ARGS)

test: $(VENV)/installed $(VENV)/timm/installed ## run the whole test suite
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(ARGS)

browser: ## install chromium and its driver where they are missing (Debian, as root): the page's tests need them
	command -v chromium >/dev/null && command -v chromedriver >/dev/null || \
		(apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-driver)

lint: $(VENV)/installed ## ruff check, ruff format --check, mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed ## let ruff rewrite the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

gallery: $(VENV)/installed ## draw the pictures of docs/families.md; ARGS=tps one of them
	$(BIN)/python docs/gallery.py $(ARGS)

# Its own environment: what stnkit is measured beside is no dependency of it.
$(BENCH)/installed: pyproject.toml constraints.txt benchmarks/requirements.txt
	test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable . \
		--requirement benchmarks/requirements.txt
	touch $@

bench: $(BENCH)/installed ## stnkit beside its peers, 15 minutes, into benchmarks/RESULTS.md; FILTER=tps prints a part
	mkdir -p .benchmarks && rm -f .benchmarks/run.json
	cd benchmarks && ../$(BENCH)/bin/python -m pytest -c pytest.ini -k "$$FILTER" --benchmark-json=../.benchmarks/run.json $(ARGS)
	$(BENCH)/bin/python benchmarks/results.py .benchmarks/run.json $(if $(FILTER)$(ARGS),,benchmarks)

clean: ## remove the environment and what the tools left behind
	rm -rf $(VENV) $(BENCH) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
