"""What runs the trainings of a sweep, by name: a new executor is a module and its line here."""

from mmengine.registry import Registry

EXECUTORS = Registry(
    "executor",
    scope="fzmm",
    locations=[f"fzmm.sweep.executors.{name}" for name in ("local", "slurm", "ray")],
)
