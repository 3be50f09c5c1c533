# The course in two commands: `make lab` to learn, `make test` to test. `make` alone lists all.
# Everything is written inside this folder: .venv, .lab (the stack's data) and .cache. Only the stack
# in containers has images and volumes, which Docker keeps.
#   PYTHON=python3.12   the interpreter to set up with (default: the first of 3.10 to 3.13)
#   WORKERS=4           test processes side by side
#   JUNIT=report.xml    where the tests write a report for machines

PYTHON ?=
BASE ?=
WORKERS ?= 4
RECIPE ?= streams
SEED ?= 1
MINUTES ?= 5

BIN := .venv/bin
CACHE := $(CURDIR)/.cache
NOTEBOOKS := $(wildcard notebooks/*.ipynb notebooks/losses/*.ipynb)
GENERATED := .venv .lab .cache .pytest_cache .ruff_cache .mypy_cache .hypothesis _build
IF_SET_UP := [ -x $(BIN)/lab ] || { echo "Nothing is set up here, so nothing runs. Begin with: make lab"; exit 0; };
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadgroup --reruns 1 $(if $(JUNIT),--junit-xml='$(JUNIT)')

# What a shell says to other Pythons is not for this one.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONOPTIMIZE PYTHONWARNINGS PYTHONUSERBASE PYTHONSAFEPATH
unexport VIRTUAL_ENV CONDA_PREFIX
# Without bytecode each program compiles all that it imports, which takes most of its start.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONUTF8 := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)
export UV_CACHE_DIR := $(CACHE)/uv
export PIP_CACHE_DIR := $(CACHE)/pip
export JUPYTER_CONFIG_DIR := $(CACHE)/jupyter/config
export JUPYTER_DATA_DIR := $(CACHE)/jupyter/data
export JUPYTER_RUNTIME_DIR := $(CACHE)/jupyter/runtime
export IPYTHONDIR := $(CACHE)/ipython
export MPLCONFIGDIR := $(CACHE)/matplotlib

.DEFAULT_GOAL := help
.PHONY: help setup kafka lab app test up down status doctor lint format test-notebooks images book slides pictures judge bench-minigears bench-recipes recipes-table clean

help: ## list the commands
	@echo "make lab    opens the course in JupyterLab"
	@echo "make test   runs every test, every notebook included"
	@echo
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

setup: ## make or update .venv (the first time a minute or two, else nothing)
	@PYTHON='$(PYTHON)' sh tools/setup.sh

kafka: setup ## add what recipes/kafka needs: a client, and a server that speaks Kafka's protocol (20 MB)
	@$(BIN)/python -I tools/packages.py --add kafka

lab: setup ## start the stack and open JupyterLab on the first notebook
	@echo "==> Starting the stack (a few seconds) and JupyterLab. End JupyterLab with Ctrl-C."
	@$(BIN)/lab notebook

app: setup ## start the stack and the movie app, and open it in the browser
	@$(BIN)/lab app

up: setup ## start the stack, or find it running
	@$(BIN)/lab up

down: ## stop the stack; its data stay
	@$(IF_SET_UP) $(BIN)/lab down

# Status 1 is an answer: something does not run, or does not work here.
status: ## show what runs, and where
	@$(IF_SET_UP) $(BIN)/lab status || [ $$? -eq 1 ]

doctor: setup ## say what works on this machine, and how to mend what does not
	@$(BIN)/lab doctor || [ $$? -eq 1 ]

lint: setup ## check style, types and that notebooks hold no output
	@echo "==> ruff, mypy, nbstripout (seconds)"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(if $(NOTEBOOKS),$(BIN)/nbstripout --keep-id --verify $(NOTEBOOKS))

format: setup ## mend style, and strip the output of notebooks
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(if $(NOTEBOOKS),$(BIN)/nbstripout --keep-id $(NOTEBOOKS))

test: lint ## run every check and test, every notebook included
	@echo "==> Tests, with every notebook on a fresh stack (about 10 minutes on 2 cores)"
	@$(PYTEST)

test-notebooks: setup ## run the notebooks only
	@echo "==> Every notebook on a fresh stack (about 4 minutes on 2 cores)"
	@$(PYTEST) tests/notebooks

images: setup ## build the images of the stack in containers (2 minutes); BASE=debian pulls nothing
	@BASE='$(BASE)' sh docker/build.sh

book: setup ## run every notebook and render the course as web pages, without a network (3 minutes)
	@$(BIN)/python -m docs.book.build

slides: setup ## make slides of every notebook, with what came out in the last `make book` (seconds)
	@$(BIN)/python -m docs.book.slides

pictures: setup ## take the pictures in docs/images anew (a minute; needs Chromium and Node)
	@$(BIN)/python -m tests.browser.pictures

judge: setup ## try a recipe under faults: RECIPE=streams SEED=7 MINUTES=5 (tests/histories --help has more)
	@$(BIN)/python -m tests.histories --recipe $(RECIPE) --seed $(SEED) --minutes $(MINUTES)

bench-minigears: setup ## measure minigears beside plain Redis; renews docs/minigears.md (3 to 8 minutes)
	@$(BIN)/python -m benchmarks.minigears --write
	@$(BIN)/python -m benchmarks.minigears.processor --write

bench-recipes: setup ## measure the write-behind recipes beside plain Redis; renews docs/recipes.md (3 to 10 minutes)
	@$(BIN)/python -m benchmarks.recipes --write

recipes-table: setup ## judge every recipe by the twelve properties; renews docs/recipes.md and recipes/README.md (about 10 minutes)
	@$(BIN)/python -m tests.recipes.twelve.table --write
	@$(BIN)/python -m tests.recipes.limits

clean: ## stop the stack; delete its data, .venv, .cache and every other generated file
	@if [ -x $(BIN)/lab ]; then LAB_STACK=embedded $(BIN)/lab down --data; fi
	@if [ -x $(BIN)/lab ] && docker version >/dev/null 2>&1; then LAB_STACK=containers $(BIN)/lab down --data; fi
	@echo "Deleting $(GENERATED), __pycache__ and .ipynb_checkpoints in $(CURDIR)"
	@rm -rf $(GENERATED)
	@find . \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +
