#!/usr/bin/env bash
# What dist_train.sh and dist_test.sh share: torchrun with MMDetection's variables, and its
# processes' exit code.
#   launch.sh COMMAND USAGE FILES [FILE...] PROCESSES [arguments of fzmm COMMAND]
set -euo pipefail
tools=$(cd "$(dirname "$0")" && pwd)
command=$1 usage=$2 count=$3
shift 3
fail() {
    echo "error: $1; usage: bash tools/dist_$command.sh $usage [arguments]" >&2
    exit 2
}
[ $# -gt "$count" ] || fail "$((count + 1)) arguments are needed, $# given"
files=("${@:1:count}")
processes=${*:count+1:1}
shift $((count + 1))
[[ $processes =~ ^[1-9][0-9]*$ ]] || fail "'$processes' is not a number of processes"
python=${PYTHON:-$([ -x "$tools/../.venv/bin/python" ] && echo "$tools/../.venv/bin/python" || echo python)}
nnodes=${NNODES:-1}
if [ "$nnodes" -eq 1 ] && [ -z "${PORT:-}" ]; then
    rendezvous=(--standalone) # a free port, so that two trainings on a machine do not meet
else
    rendezvous=(--node_rank "${NODE_RANK:-0}" --master_addr "${MASTER_ADDR:-127.0.0.1}"
        --master_port "${PORT:-29500}")
fi
PYTHONPATH="$tools/..${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -m fzmm.engine.runner.torchrun \
    --nnodes "$nnodes" --nproc_per_node "$processes" "${rendezvous[@]}" \
    -m "fzmm.commands.$command" "${files[@]}" --launcher pytorch "$@"
