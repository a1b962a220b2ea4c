#!/usr/bin/env bash
# Train on several GPUs, or with several processes on a CPU:
#   bash tools/dist_train.sh CONFIG PROCESSES [arguments of fzmm train]
# Several machines: NNODES, NODE_RANK and MASTER_ADDR, the same PORT on each.
set -euo pipefail
exec bash "$(dirname "$0")/launch.sh" train "CONFIG PROCESSES" 1 "$@"
