"""Trainings for the tests of this folder, each in a process of its own.

This program imports torch and MMDetection once; each line that it reads forks a process that
trains as tools/train.py does, or, given a number, waits for that process and prints its exit code.
"""

import argparse
import contextlib
import json
import os
import sys


def main(arguments):
    import torch
    from mmengine.config import Config, DictAction

    from fzmm.engine.runner.train_detector import train_detector

    parser = argparse.ArgumentParser()
    parser.add_argument("config")
    parser.add_argument("work_dir")
    parser.add_argument("--resume", nargs="?", const="auto")
    parser.add_argument("--trust-checkpoint", action="store_true")
    parser.add_argument("--scale-schedule", action="store_true")
    parser.add_argument("--budget", type=float)
    parser.add_argument("--max-file-mb", type=float)
    parser.add_argument("--cfg-options", nargs="+", action=DictAction)
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if args.max_file_mb:  # the nearest thing to a full disk that needs no rights
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = int(args.max_file_mb * 2**20)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    cfg.work_dir, cfg.launcher = args.work_dir, "none"
    if "RANK" in os.environ:
        torch.distributed.init_process_group("gloo")
        cfg.launcher = "pytorch"
        unused = cfg.get("find_unused_parameters", False)  # as MMEngine itself would take it
        cfg.model_wrapper_cfg = dict(
            type="MMDistributedDataParallel", device_ids=None, find_unused_parameters=unused
        )
    train_detector(
        cfg,
        resume=args.resume,
        trust_checkpoint=args.trust_checkpoint,
        scale_schedule=args.scale_schedule,
        budget=args.budget,
    )


def child(arguments, environment, log):
    from fzmm.errors import run_cli

    os.setsid()
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    code = 1
    try:
        run_cli(lambda: main(arguments))
    except SystemExit as end:
        code = end.code
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        import multiprocessing.util

        multiprocessing.util._exit_function()
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def serve():
    import mmdet.apis
    import mmdet.datasets
    import mmdet.evaluation
    import mmdet.models  # noqa: F401

    import fzmm.register  # noqa: F401

    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if isinstance(request, int):
            status = os.waitstatus_to_exitcode(os.waitpid(request, 0)[1])
            print(status, flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            child(*request)
        print(pid, flush=True)


if __name__ == "__main__":
    serve()
