"""One attempt at a run, in a process of the node that Ray has chosen or of the first of several."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

from fzmm.exit_codes import PREEMPTED_EXIT_CODE, USER_ERROR
from fzmm.sweep.executors import ray_files
from fzmm.sweep.executors.ray_node import RayNode, node_address, poll_for_a_second
from fzmm.sweep.executors.ray_others import OtherNodes
from fzmm.sweep.run_dir.state import State
from fzmm.sweep.training.attempt import Attempt, AttemptEnd
from fzmm.sweep.training.rendezvous import Rendezvous, free_port


class RayRun(RayNode):
    """One attempt; see ``RayNode`` for its arguments."""

    _told_to_stop = False

    def make_room(self) -> None:
        """Empty the directory, for the sweep's copy of it."""
        ray_files.make_room(self._run.work_dir, self._options.grace)

    def write(self, name: str, piece: bytes) -> None:
        """Add a piece to a file of the directory."""
        path = self._run.work_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab") as file:
            file.write(piece)

    def listing(self) -> ray_files.Listing:
        """Return what is worth copying back."""
        return ray_files.listing(self._run.work_dir)

    def read(self, name: str, offset: int) -> bytes | None:
        """Return a piece of a file, empty at its end; None if it has gone."""
        return ray_files.read_piece(self._run.work_dir / name, offset)

    def remove(self) -> None:
        """Remove the directory, all of which was copied back."""
        shutil.rmtree(self._run.work_dir, ignore_errors=True)

    def begin(self, where: str, others: Sequence[Any] = ()) -> AttemptEnd | None | bool:
        """Start to train, and ``watch``.

        Args:
            where: All nodes of the run, for tables.
            others: ``RayFollower``s on its further nodes.
        """
        meeting = None
        if others:
            meeting = Rendezvous(1 + len(others), 0, node_address(), free_port())
        command, arguments = self._command(meeting), self._options.training_arguments
        self._others = OtherNodes(others) if others else None
        self._attempt = Attempt(self._run, command, arguments, where, self._options.grace)
        self._trains = self._attempt.start(self._environment)
        if self._trains and self._others:
            self._others.start(meeting)
        return self.watch()

    def watch(self) -> AttemptEnd | None | bool:
        """Return how it ended, None after a second without an end, False if there was no start."""
        if not self._trains:
            return False
        return poll_for_a_second(self._poll_all if self._others else self._attempt.poll)

    def stop(self) -> None:
        """Tell the training to save and end."""
        self._told_to_stop = True
        self._attempt.stop()
        if self._others:
            self._others.stop()

    def _poll_all(self) -> AttemptEnd | None:
        code = self._attempt.exit_code
        wrong = self._others.poll() if code is None else self._others.wait()
        if code is None and wrong is None:
            return None

        self._others.kill()
        explained = code in (0, PREEMPTED_EXIT_CODE, USER_ERROR) or self._told_to_stop
        if wrong and not explained:
            return self._attempt.end_as(self._blame(wrong, code))
        return self._attempt.poll()

    def _blame(self, wrong: AttemptEnd, code: int | None) -> AttemptEnd:
        """Return how this training ended, or is to end, for what went wrong on another node."""
        if wrong.outcome is State.INTERRUPTED or code is None:
            return wrong
        here = self._attempt.judge(code)
        return AttemptEnd(wrong.outcome, wrong.exit_code, f"{wrong.error}; {here.error}")
