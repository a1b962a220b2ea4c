#!/usr/bin/env bash
# What slurm_train.sh and slurm_test.sh share: srun with MMDetection's variables.
#   srun.sh COMMAND FILE_NAME OPTION PARTITION JOB_NAME CONFIG FILE [arguments of fzmm COMMAND]
# OPTION, which may be empty, is put before FILE.
# GPUS is the number of tasks; GPUS_PER_NODE=0 asks for none and runs that many tasks on CPUs.
set -euo pipefail
tools=$(cd "$(dirname "$0")" && pwd)
command=$1 file_name=$2 option=$3
shift 3
if [ $# -lt 4 ]; then
    echo "error: 4 arguments are needed, $# given; usage: bash tools/slurm_$command.sh PARTITION JOB_NAME CONFIG $file_name [arguments]" >&2
    exit 2
fi
python=${PYTHON:-$([ -x "$tools/../.venv/bin/python" ] && echo "$tools/../.venv/bin/python" || echo python)}
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-8}
resources=(--ntasks="$gpus" --cpus-per-task="${CPUS_PER_TASK:-5}")
if [ "$per_node" -gt 0 ]; then
    resources+=(--gres="gpu:$per_node" --ntasks-per-node="$per_node")
fi
# shellcheck disable=SC2086  # SRUN_ARGS holds several arguments
PYTHONPATH="$tools/..${PYTHONPATH:+:$PYTHONPATH}" exec srun -p "$1" --job-name="$2" "${resources[@]}" \
    --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "$python" -u -m "fzmm.commands.$command" "$3" "$option$4" --launcher slurm "${@:5}"
