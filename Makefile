# `make` or `make help` lists the targets.
PYTHON ?=
ARGS ?=
BIN := .venv/bin
STAMP := .venv/.qlab-setup
EXTRAS := .venv/.qlab-extras

.DEFAULT_GOAL := help
.PHONY: help setup data lab test offline notebooks artefacts logits micro bench bench-class fuzz faults lock lock-extras extras hub book lint format clean fuzz-engine models release-check

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
release-check: setup $(EXTRAS) ## each cell twice, each section alone, three front ends, axe everywhere (hours)
	@nice $(BIN)/python -m pytest tests/release $(ARGS)

# What a teacher or an author needs and a learner does not: hub, cluster, book.
extras: $(EXTRAS) ## install what make hub, book, release-check and --scheduler need

$(EXTRAS): requirements-extras.txt $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements-extras.txt
	@touch $@

hub: setup $(EXTRAS) ## start a JupyterHub for a trial on 127.0.0.1 (as root: for all learners)
	@$(BIN)/python -m jupyterhub -f deploy/jupyterhub/jupyterhub_config.py $(ARGS)

book: setup $(EXTRAS) ## build the course as a site for reading, in build/book/site
	@$(BIN)/python -m tools.book $(ARGS)

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
COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 \
	--fork-strategy fewest --generate-hashes --no-emit-index-url --upgrade --quiet \
	--custom-compile-command "make lock"

lock: $(STAMP) ## write requirements.txt and requirements-extras.txt anew from pyproject.toml
	@$(COMPILE) --extra micro --extra test --extra dev --output-file requirements.txt
	@$(MAKE) --no-print-directory lock-extras
	@echo "the locks are new: run make test before you commit them"

# The second lock holds what the first does not, in versions that go with it.
lock-extras: $(STAMP) ## write requirements-extras.txt alone, for the extras hub, cluster, book and release
	@$(COMPILE) --extra hub --extra cluster --extra book --extra release --constraints requirements.txt \
		$$(sed -n 's/^\([A-Za-z0-9._-]*\)==.*/--no-emit-package \1/p' requirements.txt) \
		--output-file requirements-extras.txt

lint: $(STAMP) ## check code and notebooks with ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(STAMP) ## let ruff mend and format code and notebooks
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## remove .venv and caches; data and bundle stay
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis build qlab.egg-info
	find qlab tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
