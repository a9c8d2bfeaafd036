"""Shows the run's progress.log while a task runs: Ansible modules cannot print before they end."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: scs_progress
type: aggregate
short_description: Follow the progress log of a scs-ci run
description:
  - Prints every line that is added to C(progress.log) of the run directory while a task runs.
  - The run directory is the one that the role C(start-run) announces by the fact C(start_run_directory).
  - Only the file on the controller is followed. What a plane host writes to its own copy is printed by the role
    C(run-cluster-stacks) after each stage.
requirements:
  - enabled in C(ansible.cfg)
"""

# Whoever knows the run directory says so by one of these facts. Empty means: stop, what comes was shown already.
FACTS = ('start_run_directory', 'fetch_run_directory')
# Fast enough to look live, slow enough to cost nothing.
PAUSE = 0.5


class Follower(threading.Thread):
    """Prints what is appended to a file until it is stopped."""

    def __init__(self, path: Path, show: Any) -> None:
        super().__init__(daemon=True)
        self.path, self.show, self.ended = path, show, threading.Event()
        self.position = self._size()

    def run(self) -> None:
        while not self.ended.wait(PAUSE):
            self.print_new()
        self.print_new()

    def print_new(self) -> None:
        size = self._size()
        if size <= self.position:
            return
        with self.path.open('rb') as file:
            file.seek(self.position)
            text = file.read(size - self.position)
        whole = text[: text.rfind(b'\n') + 1]
        self.position += len(whole)
        for line in whole.decode('utf-8', 'replace').splitlines():
            self.show(line)

    def stop(self) -> None:
        self.ended.set()
        self.join(timeout=5)  # it only has to print the last lines

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0


class CallbackModule(CallbackBase):
    """Starts the follower as soon as the run directory is known."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'aggregate'
    CALLBACK_NAME = 'scs_progress'
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.follower: Follower | None = None

    def v2_runner_on_ok(self, result: Any) -> None:
        facts = result._result.get('ansible_facts') or {}
        for place in (facts[name] for name in FACTS if name in facts):
            self.follow(place)

    def follow(self, place: str) -> None:
        """From now on the log in that directory; nothing when it is empty."""
        if self.follower:
            self.follower.stop()
        self.follower = Follower(Path(place) / 'progress.log', self._display.display) if place else None
        if self.follower:
            self.follower.start()

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self.follow('')
