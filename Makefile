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
.PHONY: help train test quick eager sanitize browser lint format gallery wheel bench bench-images versions clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

# Stamps: one for users (`make train`), one that adds the tools of developers to the same environment. Both are renewed
# when the dependencies or the native sources change; `touch` comes last, so that a failed install is repeated.
# Compiling bytecode is half of the work, so it is done on all cores after pip, which uses one; files that are no valid
# Python are skipped, as by pip.
NATIVE := $(wildcard stnkit/native/source/*.* stnkit/native/source/*/*)
COMPILE := $(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true

$(VENV)/installed: pyproject.toml constraints.txt $(NATIVE)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --no-compile --editable .
	$(COMPILE)
	touch $@

$(VENV)/developing: pyproject.toml constraints.txt $(NATIVE)
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

quick: $(VENV)/developing ## run a sample of the tests, without processes, training and shape checks, in a minute
	STNKIT_SHAPE_CHECKS=off $(BIN)/python -m pytest --quick --numprocesses 2 --dist worksteal $(ARGS)

# What compares warps with oracles. `make test` runs it with the native library where that was built.
EAGER := tests/test_conformance.py tests/plugins/samplers tests/plugins/distortions tests/test_transformer.py \
	tests/test_dynamic_sizes.py tests/test_empty_batches.py tests/test_parallel.py tests/test_recurrent.py

eager: $(VENV)/developing ## run the tests of warps once more without the native library
	STNKIT_NATIVE=0 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not slow and not process and not training" $(EAGER) $(ARGS)

sanitize: $(VENV)/developing ## run the native warp under AddressSanitizer and UBSan; WARPS=500 draws more of them
	.ci/sanitize $(ARGS)

browser: ## install chromium and its driver where they are missing (Debian, as root): the page's tests need them
	command -v chromium >/dev/null && command -v chromedriver >/dev/null || \
		(apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-driver)

# Undefined names: mypy finds those of the source, ruff those of everything else, which has no shapes of one letter.
lint: $(VENV)/developing ## ruff check, ruff format --check, mypy
	$(BIN)/ruff check .
	$(BIN)/ruff check --isolated --target-version py311 --select F821 benchmarks docs examples tests .ci
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/developing ## let ruff rewrite the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

gallery: $(VENV)/installed ## draw the pictures of docs/families.md; ARGS=tps draws one family
	$(BIN)/python docs/gallery.py $(ARGS)

# The wheel is built from the source distribution, which must hold all that it takes.
wheel: $(VENV)/developing ## build the source distribution and the wheel of this platform into dist/
	rm -rf dist
	$(BIN)/python -c "from setuptools import build_meta; build_meta.build_sdist('dist')"
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist dist/stnkit-*.tar.gz
	@ls dist

# Separate environment: the libraries in the comparison are not dependencies of stnkit.
$(BENCH)/installed: pyproject.toml constraints.txt benchmarks/requirements.txt $(NATIVE)
	test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python $(PIP) --editable . --requirement benchmarks/requirements.txt
	touch $@

bench: $(BENCH)/installed ## compare with other libraries, 20 minutes, into benchmarks/RESULTS.md; FILTER=tps prints a selection
	mkdir -p .benchmarks && rm -f .benchmarks/run.json
	cd benchmarks && ../$(BENCH)/bin/python -m pytest -c pytest.ini -k "$$FILTER" --benchmark-json=../.benchmarks/run.json $(ARGS)
	$(BENCH)/bin/python benchmarks/results.py .benchmarks/run.json $(if $(FILTER)$(ARGS),,benchmarks)

FOLDER ?= .benchmarks
bench-images: $(BENCH)/installed ## measure 200,000 images from files, into benchmarks/IMAGES.md; FOLDER=DIR has 15 GB for them
	mkdir -p $(FOLDER)
	PYTHONPATH=benchmarks $(BENCH)/bin/python -m many_images.make $(FOLDER)/many
	PYTHONPATH=benchmarks $(BENCH)/bin/python -m many_images.make $(FOLDER)/some --images 20000
	PYTHONPATH=benchmarks $(BENCH)/bin/python -m many_images.measure $(FOLDER)

$(VERSIONS)/uv/installed: constraints.txt
	test -x $(VERSIONS)/uv/bin/python || $(PYTHON) -m venv $(VERSIONS)/uv
	$(VERSIONS)/uv/bin/python $(PIP) uv
	touch $@

versions: $(VERSIONS)/uv/installed ## install and test the lowest and newest versions that pyproject.toml allows; ARGS='--only lowest'
	$(VERSIONS)/uv/bin/python .ci/versions.py $(ARGS)

clean: ## remove the environments and what the tools left behind
	rm -rf $(VENV) $(BENCH) $(VERSIONS) build *.egg-info stnkit/native/*.so .pytest_cache .mypy_cache .ruff_cache
