"""The other nodes of a run, as the process that leads it sees them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fzmm.sweep.run_dir.state import State
from fzmm.sweep.training.attempt import AttemptEnd
from fzmm.sweep.training.rendezvous import Rendezvous

# A training whose partner has failed mostly fails by itself, and then has words of its own for it.
PARTNER_SECONDS = 10.0
# Ray takes a node that is silent for lost after as long, and torchrun waits for its processes.
LOSS_SECONDS = 60.0
LOST = "one of its nodes was lost"


class OtherNodes:
    """Starts, watches and ends the followers of a run.

    Args:
        actors: ``RayFollower``s; the run directory is shared with their nodes.
    """

    def __init__(self, actors: Sequence[Any]) -> None:
        import ray

        self._ray = ray
        self._actors = list(actors)
        self._answers: dict[int, Any] = {}
        self._wrong: list[AttemptEnd] = []
        self._wrong_since = 0.0

    def start(self, rendezvous: Rendezvous) -> None:
        """Let each meet the first node at its place."""
        for rank, actor in enumerate(self._actors, 1):
            self._answers[rank] = actor.begin.remote(replace(rendezvous, rank=rank))

    def stop(self) -> None:
        """Tell the trainings to save and end; returns at once."""
        for rank in self._answers:
            self._actors[rank - 1].stop.remote()

    def poll(self) -> AttemptEnd | None:
        """Return why the run cannot go on, None while it can, or may still say so itself."""
        self._hear()
        lost = [end for end in self._wrong if end.outcome is State.INTERRUPTED]
        if lost:
            return lost[0]
        if self._wrong and time.monotonic() - self._wrong_since > PARTNER_SECONDS:
            return self._wrong[0]
        return None

    def wait(self) -> AttemptEnd | None:
        """Wait for the ends of all; return what went wrong with one, or None."""
        deadline = time.monotonic() + LOSS_SECONDS
        while self._answers and time.monotonic() < deadline:
            self._hear()
            time.sleep(0.05)
        lost = [end for end in self._wrong if end.outcome is State.INTERRUPTED]
        return next(iter(lost + self._wrong), None)

    def kill(self) -> None:
        """End what still trains, now."""
        calls = [self._actors[rank - 1].kill.remote() for rank in self._answers]
        if calls:
            self._ray.wait(calls, num_returns=len(calls), timeout=5)
        self._answers = {}

    def _hear(self) -> None:
        for rank, answer in list(self._answers.items()):
            if not self._ray.wait([answer], timeout=0)[0]:
                continue
            end = self._end_in(answer)
            if end is None:
                self._answers[rank] = self._actors[rank - 1].watch.remote()
                continue
            del self._answers[rank]
            if end.error:
                self._wrong_since = self._wrong_since or time.monotonic()
                self._wrong.append(end)

    def _end_in(self, answer: Any) -> AttemptEnd | None:
        try:
            return self._ray.get(answer)
        except self._ray.exceptions.RayActorError:
            return AttemptEnd(State.INTERRUPTED, error=LOST)
        except self._ray.exceptions.RayTaskError as error:  # its folder cannot be written
            return AttemptEnd(State.FAILED, error=str(error).strip().splitlines()[-1])
