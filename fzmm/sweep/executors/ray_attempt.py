"""The sweep's side of an attempt on a node: waits for it, and copies its directory back."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from fzmm.run_lock import RunLock
from fzmm.sweep.executors import ray_files
from fzmm.sweep.executors.ray_run import Place
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.training.attempt import AttemptEnd

COLLECT_SECONDS = 5.0


class RayAttempt:
    """Follows an attempt from waiting for a node to its end.

    Args:
        ray: The module.
        run: The run.
        actor: A ``RayRun``.
        lock: Of the directory here, held, if it is copied back from nodes that do not share it.
    """

    def __init__(self, ray: Any, run: PlannedRun, actor: Any, lock: RunLock | None = None) -> None:
        self.place: Place | None = None
        self._ray, self._run, self._actor, self._lock = ray, run, actor, lock
        self._copied: ray_files.Listing = {}
        self._collected = time.monotonic()
        self._answer = actor.place.remote()

    def poll(self) -> AttemptEnd | None | bool:
        """Return how it ended, None while it has not, False if somebody else trains it.

        Raises:
            ray.exceptions.RayError: If its node is lost, or has not what the run needs.
        """
        if not self._ray.wait([self._answer], timeout=0)[0]:
            return None
        answer = self._ray.get(self._answer)
        if self.place is None:
            self._begin(answer)
            return None
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
        """Give up the actor and the directory."""
        self._ray.kill(self._actor)
        if self._lock:
            self._lock.release()

    def _begin(self, place: Place) -> None:
        self.place = place
        if self._lock and place.shares:  # it is trained here in place: the node takes the lock
            self._lock.release()
            self._lock = None
        if self._lock:
            self._lock.note({"where": place.where})
            self._send()
        self._answer = self._actor.begin.remote()

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
