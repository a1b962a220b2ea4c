#!/usr/bin/env bash
# Evaluate on a Slurm cluster, as MMDetection's script of this name:
#   [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] \
#       bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of fzmm test]
# GPUS is the number of tasks; GPUS_PER_NODE=0 asks for none and runs that many tasks on CPUs.
set -euo pipefail
exec bash "$(dirname "$0")/srun.sh" test CHECKPOINT "" "$@"
