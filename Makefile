# `make demo` and `make test` set everything up on their first call; see README.md.

# The first Python of a supported version; name another with `make PYTHON=...`.
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null \
	&& echo $$p && exit; done; echo python3)
RUN := .venv/bin/python
# Two test processes of one thread each beat one of two: most of a small training is not parallel.
TEST_PROCESSES ?= 2

.PHONY: help setup demo test lint format clean

help:
	@echo "make demo     the whole study on the embedded digits, ending with a report (12 minutes on 2 cores)"
	@echo "make test     all tests (10 minutes on 2 cores)"
	@echo "make lint     check format and style; make format mends them"
	@echo "make setup    only make .venv and install; the others do it too"

setup:
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "error: $(PYTHON) is not found: install Python 3.10, 3.11 or 3.12" >&2; exit 2; }
	@$(PYTHON) tools/setup_env.py

demo: setup
	@$(RUN) tools/demo.py $(ARGS)

test: setup
	@OMP_NUM_THREADS=1 $(RUN) -m pytest -n $(TEST_PROCESSES) --dist loadfile $(ARGS)

lint: setup
	@$(RUN) -m ruff check --quiet . && $(RUN) -m ruff format --check --quiet . && echo "lint: clean"

format: setup
	@$(RUN) -m ruff check --quiet --fix . ; $(RUN) -m ruff format .

clean:
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache .hypothesis
