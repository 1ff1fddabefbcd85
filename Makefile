# make demo · make test · make lint · make leaderboards: each sets up .venv first where it is absent.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PLUGINS := $(sort $(wildcard plugins/*/pyproject.toml))
READY := $(VENV)/.ready
space := $() $()
PLUGIN_PATH := $(subst $(space),:,$(strip $(dir $(PLUGINS))))

# idle OpenMP threads must sleep: spinning ones cost twenty times where cores are shared
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test lint format leaderboards clean

demo: $(READY)
	$(BIN)/mmbench demo

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	MYPYPATH=$(PLUGIN_PATH) $(BIN)/mypy mmbench $(wildcard plugins/*/mmbench_*)
	$(BIN)/mmbench leaderboard leaderboards/results -o leaderboards --published --check

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

leaderboards: $(READY)
	$(BIN)/mmbench leaderboard leaderboards/results -o leaderboards --published

$(READY): pyproject.toml $(PLUGINS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --prefer-binary \
		--editable ".[dev]" $(addprefix --editable ,$(dir $(PLUGINS)))
	touch $(READY)

clean:
	rm -rf $(VENV) results dist build
