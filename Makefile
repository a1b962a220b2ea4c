# `make demo` and `make test` set everything up on their first call; see README.md.

# The first Python of a supported version; name another with `make PYTHON=...`.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$p && exit; done; echo python3)
RUN := .venv/bin/python
# Installed packages are not compiled before they are imported, so Python has to keep what it compiles,
# also where an image sets this for containers that start once: else each training compiles them anew.
export PYTHONDONTWRITEBYTECODE :=
# Two test processes of one thread each beat one of two: most of a small training is not parallel.
TEST_PROCESSES ?= 2

.PHONY: help setup ops demo study test test-slurm test-ray test-torchvision lint format clean

help:
	@echo "make demo     the whole study on the embedded digits, ending with a report (7 minutes on 2 cores)"
	@echo "make study    the same for a dataset of yours: NAME=cells DATA=folder, see docs/your-data.md"
	@echo "make test     all tests (about 22 minutes on 2 cores)"
	@echo "make test-slurm   the tests that need Slurm, which they install and start (Debian, as root)"
	@echo "make test-torchvision   compare with torchvision itself, and test ConvNeXt, in an environment of its own (7 GB)"
	@echo "make test-ray     the tests that need Ray, which they install and start on this machine alone"
	@echo "make lint     check format and style; make format repairs them"
	@echo "make setup    only make .venv and install; the others do it too"
	@echo "make ops      compile MMCV's operators (8 to 23 minutes on 2 cores), for detectors that need more than fzmm's two"

setup:
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "error: $(PYTHON) is not found: install Python 3.10 to 3.13" >&2; exit 2; }
	@$(PYTHON) tools/setup_env.py

ops: setup
	@$(PYTHON) tools/setup_env.py ops

demo: setup
	@$(RUN) tools/demo.py $(ARGS)

test: setup
	@OMP_NUM_THREADS=1 $(RUN) -m pytest -n $(TEST_PROCESSES) --dist loadfile $(ARGS)

# DATA holds train/, val/ and annotations/instances_{train,val}.json; STUDY and SWEEP are further
# arguments of the two tools.
study: setup
	@$(RUN) tools/new_study.py --name $(NAME) --train-ann $(DATA)/annotations/instances_train.json \
		--val-ann $(DATA)/annotations/instances_val.json \
		--train-images $(DATA)/train --val-images $(DATA)/val $(STUDY)
	@$(RUN) tools/sweep.py configs/$(NAME)/*.py $(SWEEP)
	@$(RUN) tools/analyze_logs.py report work_dirs/$(NAME)* --out reports/$(NAME)

test-slurm: setup
	@FZMM_TEST_SLURM=1 OMP_NUM_THREADS=1 $(RUN) -m pytest tests/slurm $(ARGS)

# torchvision itself needs another PyTorch than MMCV was compiled for: it writes a file, which the
# tests compare with.
TORCHVISION := .venv-torchvision
test-torchvision: setup
	@test -x $(TORCHVISION)/bin/python || $(PYTHON) -m venv $(TORCHVISION)
	@$(TORCHVISION)/bin/pip install --quiet -r requirements/torchvision.txt -e ".[mmpretrain]"
	@mkdir -p build && $(TORCHVISION)/bin/python -m tests.parity.measure_torchvision build/torchvision.npz
	@FZMM_TORCHVISION=build/torchvision.npz $(RUN) -m pytest tests/parity $(ARGS)
	@$(TORCHVISION)/bin/python -m pytest tests/ops/test_nms.py -k torchvision
	@$(TORCHVISION)/bin/python -m pytest tests/models/backbones/test_backbones.py -k "convnext or mmpretrain"

test-ray: setup
	@$(RUN) -m pip install --quiet "ray>=2.52"
	@FZMM_TEST_RAY=1 OMP_NUM_THREADS=1 $(RUN) -m pytest tests/ray $(ARGS)

lint: setup
	@$(RUN) -m ruff check --quiet . && $(RUN) -m ruff format --check --quiet . && echo "lint: clean"

format: setup
	@$(RUN) -m ruff check --quiet --fix . ; $(RUN) -m ruff format .

clean:
	rm -rf .venv .venv-torchvision build *.egg-info .pytest_cache .ruff_cache .hypothesis
