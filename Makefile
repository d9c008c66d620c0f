# Atelier's commands. `make` alone lists them. Each sets up .venv by itself and does nothing the second time.
#
#   PYTHON=python3.12        the Python to make .venv with (3.11 or newer)
#   TORCH_INDEX_URL=URL      where to take torch from, such as a CPU build's index; empty: where pip always looks
#   ARGS="-k storage"        more words for the command that the target runs
#   JOBS=300 KILLS=15 SEED=2 how big a storm `make storm` makes, and which
#   MINUTES=60               how long `make soak` lasts
#   HOUSE="scenes motion"    which house models to train or to measure
#   TESTERS=0                how many processes run the tests; they mostly wait for servers, so more than cores is right

PYTHON ?= python3
TORCH_INDEX_URL ?=
ARGS ?=
TESTERS ?= 4
JOBS ?= 10000
KILLS ?= 500
SEED ?= 1
MINUTES ?= 10
HOUSE ?= scenes upscaler motion songbook songbook-lstm tales snippets

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TORCH := torch==2.13.0
# Every pip command names the torch pin, so that none of them can take another torch along. Bytecode is made when it
# is first needed, which is a small part of it.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile -c constraints.txt $(TORCH)

TRAIN = OMP_NUM_THREADS=1 $(BIN)/python -m pipelines.training

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo up test check lint fmt bench chaos storm soak recovery fuzz watermark house-models \
	house-figures lock clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with everything that the other targets need

demo: $(STAMP) ## A tale, its picture, that picture moving, a song, and a page of them; then stop
	@$(BIN)/atelier demo $(ARGS)

up: $(STAMP) ## Run Atelier on this machine until Ctrl-C
	@$(BIN)/atelier up $(ARGS)

test: $(STAMP) ## Run all tests but the long ones (ARGS="-m slow": those)
	@$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile -m "not slow" $(ARGS)

check: lint test ## Format, lint, types, imports, then all tests: what must pass before a commit

lint: $(STAMP) ## Check format, lint, types and imports only
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fmt: $(STAMP) ## Format the code and mend what the linter can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(STAMP) ## Measure Atelier beside its rivals, and write docs/benchmarks.md (ARGS="submit drain": only those)
	@$(BIN)/python -m tests.bench --json docs/benchmarks.json --report docs/benchmarks.md $(ARGS)

chaos: $(STAMP) ## Run every fault of the kill matrix, and write docs/kill-matrix.md
	@$(BIN)/python -m tests.chaos $(ARGS)

storm: $(STAMP) ## Kill parts of a deployment under load, judge every job, and write docs/storm.md (JOBS= KILLS= SEED=)
	@$(BIN)/python -m tests.chaos.storm --jobs $(JOBS) --kills $(KILLS) --seed $(SEED) --docs docs $(ARGS)

soak: $(STAMP) ## Let faults come and go under a steady load for MINUTES=, and write docs/soak.md
	@$(BIN)/python -m tests.chaos.soak --minutes $(MINUTES) --seed $(SEED) --docs docs $(ARGS)

recovery: $(STAMP) ## Measure how soon jobs go on after kills, and write docs/recovery.md
	@$(BIN)/python -m tests.chaos.recovery --docs docs $(ARGS)

fuzz: $(STAMP) ## Send 20,000 machine-made requests and 2,000 machine-made files, and write docs/fuzz.md
	@$(BIN)/python -m tests.fuzz $(ARGS)
	@$(BIN)/python -m pytest -m slow tests/fuzz

watermark: $(STAMP) ## Look for the watermark in thousands of pictures, and write docs/watermark.md
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.watermark $(ARGS)

house-models: $(STAMP) ## Train every house model, or HOUSE="upscaler": from nothing, or from where it stands; takes hours
	@set -e; for name in $(HOUSE); do module=$$(echo $$name | tr - .); \
		$(TRAIN).$$module --resume $(ARGS); $(TRAIN).$$module --export pipelines/house/$$name; done
	@$(MAKE) --no-print-directory house-figures

house-figures: $(STAMP) ## Measure every house model, or HOUSE="upscaler": what it obeys, on what it has never seen
	@set -e; for name in $(HOUSE); do echo "$$name"; \
		$(TRAIN).$$(echo $$name | tr - .) --evaluate pipelines/house/$$name; done
	@$(BIN)/python -m pipelines.training.rows $(HOUSE)

lock: $(STAMP) ## Write the versions in .venv into constraints.txt
	@{ head -n 2 constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$$//'; } > constraints.tmp
	@mv constraints.tmp constraints.txt

clean: ## Remove .venv and what tools have left
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Atelier needs Python 3.11 or newer; $(PYTHON) is older or missing. Say which: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up $(VENV); the first time takes some minutes ..." >&2
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || \
		{ $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; } || \
		{ echo "Cannot make $(VENV). On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PIP) $(if $(TORCH_INDEX_URL),--index-url $(TORCH_INDEX_URL))
	@$(PIP) --editable '.[worker,training,dev]'
	@touch $@
