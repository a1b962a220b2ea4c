#!/usr/bin/env bash
# Evaluate on several GPUs, or with several processes on a CPU:
#   bash tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [arguments of fzmm test]
# Several machines: NNODES, NODE_RANK and MASTER_ADDR, the same PORT on each.
set -euo pipefail
exec bash "$(dirname "$0")/launch.sh" test "CONFIG CHECKPOINT PROCESSES" 2 "$@"
