"""Exit codes of the tools, for launchers that must tell them apart."""

USER_ERROR = 2
# EX_TEMPFAIL of sysexits.h: the run was told to stop (SIGTERM) and has saved a checkpoint, so that
# calling it again with --resume continues it. A launcher must not count it as a failure.
PREEMPTED_EXIT_CODE = 75
