"""The sweep's side of an attempt on a node: waits for it, and copies its directory back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from fzmm.run_lock import RunLock
from fzmm.sweep.executors import ray_files
from fzmm.sweep.executors.ray_node import Place
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.training.attempt import AttemptEnd

COLLECT_SECONDS = 5.0


class RayAttempt:
    """Follows an attempt from waiting for a node to its end.

    Args:
        ray: The module.
        run: The run.
        actors: A ``RayRun``, and a ``RayFollower`` for each further node of the run.
        lock: Of the directory here, held, if it is copied back from nodes that do not share it.
        group: Ray's placement group of the actors, if there are several.
    """

    def __init__(
        self,
        ray: Any,
        run: PlannedRun,
        actors: Sequence[Any],
        lock: RunLock | None = None,
        group: Any = None,
    ) -> None:
        self.place: Place | None = None
        self._ray, self._run, self._lock, self._group = ray, run, lock, group
        self._actor, *self._others = actors
        self._copied: ray_files.Listing = {}
        self._collected = time.monotonic()
        self._places = [actor.place.remote() for actor in actors]

    def poll(self) -> AttemptEnd | None | bool:
        """Return how it ended, None while it has not, False if somebody else trains it.

        Raises:
            ray.exceptions.RayError: If its node is lost, or has not what the run needs.
        """
        if self.place is None:
            self._begin_if_placed()
            return None
        if not self._ray.wait([self._answer], timeout=0)[0]:
            return None
        answer = self._ray.get(self._answer)
        if self._lock and (answer is not None or self._is_due()):
            self._collect()
        if answer is None:
            self._answer = self._actor.watch.remote()
        elif self._lock:
            self._ray.get(self._actor.remove.remote())
        return answer

    def stop(self) -> None:
        """Tell the training to save and end."""
        self._actor.stop.remote()

    def close(self) -> None:
        """Give up the actors and the directory."""
        if self._others and self.place:  # they may wait for ever for that of a node that is lost
            calls = [actor.kill.remote() for actor in self._others]
            self._ray.wait(calls, num_returns=len(calls), timeout=5)
        for actor in (self._actor, *self._others):
            self._ray.kill(actor)
        if self._group:
            self._ray.util.remove_placement_group(self._group)
        if self._lock:
            self._lock.release()

    def _begin_if_placed(self) -> None:
        placed, waiting = self._ray.wait(self._places, num_returns=len(self._places), timeout=0)
        self._ray.get(placed)  # says what a node lacks, or that it is lost, before all are there
        if not waiting:
            self._begin(_join(self._ray.get(self._places)))

    def _begin(self, place: Place) -> None:
        self.place = place
        if self._lock and place.shares:  # it is trained here in place: the node takes the lock
            self._lock.release()
            self._lock = None
        if self._lock:
            self._lock.note({"where": place.where})
            self._send()
        self._answer = self._actor.begin.remote(place.where, self._others)

    def _send(self) -> None:
        """Send what an earlier attempt has left, so that this one goes on from it."""
        folder = self._run.work_dir
        self._ray.get(self._actor.make_room.remote())
        for path in (folder / name for name in ray_files.listing(folder)):
            for piece in ray_files.pieces(partial(ray_files.read_piece, path)):
                name = str(path.relative_to(folder))
                self._ray.get(self._actor.write.remote(name, piece))

    def _is_due(self) -> bool:
        return time.monotonic() - self._collected >= COLLECT_SECONDS

    def _collect(self) -> None:
        def read(name: str, offset: int) -> bytes | None:
            return self._ray.get(self._actor.read.remote(name, offset))

        there = self._ray.get(self._actor.listing.remote())
        ray_files.copy_changes(self._run.work_dir, there, self._copied, read)
        self._collected = time.monotonic()


def _join(places: Sequence[Place]) -> Place:
    """Return the place of a run over several nodes."""
    further = [place.where.removeprefix("ray ") for place in places[1:]]
    where = " + ".join([places[0].where, *further])
    return Place(where, all(place.shares for place in places))
