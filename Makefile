# Linli Gateway. Two commands: `make demo` and `make test`. Needs Python 3.11 with venv, and git.
PYTHON ?= python3.11
ifeq (,$(shell command -v $(PYTHON) 2>/dev/null))
PYTHON := python3
endif
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DURATION ?=
JSON ?=

.PHONY: demo test check bench faults sabotage simulate peer-storage kills nothing-false fuzz format docs lock clean

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

demo: $(STAMP)
	@$(BIN)/linli-sim demo $(if $(DURATION),--duration $(DURATION)) $(if $(JSON),--json)

test: $(STAMP)
	@./deploy/test-packages.sh
	$(BIN)/python -m tests

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright

bench: $(STAMP)
	@./deploy/test-packages.sh
	$(BIN)/python -m tests.bench

# Longer campaigns, run by hand: the whole fault matrix, builds that are broken on purpose, two hundred
# seeds in virtual time, a peer's storage beside ours, fifty kills under load, a hundred thousand faulty
# transactions, ten million inputs for each codec (two hours of one core).
faults: $(STAMP)
	@./deploy/test-packages.sh
	$(BIN)/python -m tests.faults

sabotage: $(STAMP)
	@./deploy/test-packages.sh
	$(BIN)/python -m tests.faults.sabotage

simulate: $(STAMP)
	$(BIN)/python -m tests.virtual --seeds 1..200
	$(BIN)/python -m tests.virtual --day

peer-storage: $(STAMP)
	$(BIN)/python -m tests.faults.peer

kills: $(STAMP)
	@./deploy/test-packages.sh
	$(BIN)/python -m tests.e2e.test_kill_nine 50

nothing-false: $(STAMP)
	$(BIN)/python -m tests.e2e.test_nothing_false

fuzz: $(STAMP)
	$(BIN)/python -m tests.drivers.fuzz --inputs 10000000

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(STAMP)
	$(BIN)/python -m docs.generate

lock:
	uv pip compile pyproject.toml --extra demo --extra influx --extra crypto --group dev --python-version 3.11 \
	    --generate-hashes --no-header --no-annotate --no-emit-index-url -o requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
