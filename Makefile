# `make` or `make help` lists the targets.
PYTHON ?=
ARGS ?=
BIN := .venv/bin
STAMP := .venv/.qlab-setup

.DEFAULT_GOAL := help
.PHONY: help setup data lab test offline notebooks artefacts logits micro bench bench-class fuzz faults lock lint format clean fuzz-engine models release-check

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: data ## make .venv, install the locked packages and qlab, get and verify the data
	@echo "Ready: make lab opens the course"

$(STAMP): requirements.txt pyproject.toml tools/setup.sh
	@PYTHON="$(PYTHON)" sh tools/setup.sh

data: $(STAMP) ## get and verify the data
	@$(BIN)/qlab data

lab: setup ## set up if needed, then open your copy of the notebooks (ARGS="--port 9000 --to DIR")
	@$(BIN)/qlab lab $(ARGS)

# A worker for each core, with its own learner, JupyterLab and Chromium. A file of tests stays
# with one worker: its fixtures are made once, and a notebook's cells run in order. The order of the
# files is that of conftest.py.
test: setup ## set up if needed, then run every test: units, doctests, notebooks, browser
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

# What takes too long for every change. It is run before a release, and its result is noted there.
release-check: setup ## each cell twice, each section alone, three front ends, axe everywhere (an hour)
	@nice $(BIN)/python -m pytest tests/release $(ARGS)

offline: data ## bundle packages and data in offline/, for a room without network
	@$(BIN)/python tools/offline.py make $(if $(PYTHON),--python "$(PYTHON)")

notebooks: $(STAMP) ## execute and normalise the notebooks before a commit (ARGS=notebooks/02_*)
	@$(BIN)/python tests/notebooks/execute.py $(ARGS)

artefacts: $(STAMP) ## retrain every model in data/pretrained and write its manifest
	@$(BIN)/python -m tools.artefacts.run $(ARGS)

logits: $(STAMP) ## compute the teacher's logits on the training set, once, into the cache
	@$(BIN)/python -m qlab.train.soft_labels

micro: $(STAMP) ## ask TensorFlow Lite Micro about every shipped file (ARGS="--table FILE")
	@$(BIN)/python -m tools.micro $(ARGS)

bench: $(STAMP) ## measure the course's own speed on this machine (ARGS=--json)
	@$(BIN)/python -m tools.bench $(ARGS)

bench-class: $(STAMP) ## thirty kernels with an explorer each, at work at once (8 GB, minutes; ARGS="--kernels 4")
	@$(BIN)/python -m tools.bench.classroom $(ARGS)

fuzz: setup ## grade 5,000 damaged .tflite files, looking for a crash or a wrong verdict (minutes)
	@$(BIN)/python tests/fuzz.py $(ARGS)

models: setup ## try a hundred Keras models as people write them, and print what becomes of each
	@$(BIN)/python tests/model_table.py $(ARGS)

fuzz-engine: setup ## read, score and compress 5,000 damaged files of many kinds (minutes)
	@$(BIN)/python tests/fuzz_engine.py $(ARGS)

faults: setup ## plant known faults one by one and say whether the tests catch them (ARGS="--only 3 7")
	@$(BIN)/python -m tools.faults $(ARGS)

# 'fewest': one version of each package for all Pythons and systems, the one the course is tested
# with. No index addresses, so that the lock works behind any mirror.
lock: $(STAMP) ## write requirements.txt anew from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
		--fork-strategy fewest --generate-hashes --no-emit-index-url --upgrade --quiet \
		--custom-compile-command "make lock" --output-file requirements.txt
	@echo "requirements.txt is new: run make test before you commit it"

lint: $(STAMP) ## check code and notebooks with ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(STAMP) ## let ruff mend and format code and notebooks
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## remove .venv and caches; data and bundle stay
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis build qlab.egg-info
	find qlab tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
