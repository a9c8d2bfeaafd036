"""What is asked of a conformance runner and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from ..core.clock import Clock
from ..core.outcome import Outcome


class State(StrEnum):
    """How a spec ended: ginkgo's states, with the specs that only the selection left out as a state of their own."""

    PASSED = 'passed'
    FAILED = 'failed'
    PANICKED = 'panicked'
    TIMEDOUT = 'timedout'  # running when the time of the suite was over
    INTERRUPTED = 'interrupted'  # another process of the suite, or the runner, stopped it
    ABORTED = 'aborted'
    SKIPPED = 'skipped'  # selected, but said of itself that it cannot run here
    UNSELECTED = 'unselected'


RED = frozenset({State.FAILED, State.PANICKED, State.TIMEDOUT, State.INTERRUPTED, State.ABORTED})


@dataclass(frozen=True)
class Waiver:
    """An entry of SCS's okToFail: specs whose name the expression is found in may fail."""

    regex: str
    reason: str


@dataclass(frozen=True)
class Request:
    """What to run.

    focus, skip: regular expressions on names of specs, empty for none. parallel: processes. flake_attempts: how often a
    failed spec may be tried, 1 for once. timeout: seconds for the suite. extra: further arguments of e2e.test.
    """

    kubeconfig: Path
    focus: str
    skip: str = ''
    ok_to_fail: tuple[Waiver, ...] = ()
    parallel: int = 1
    flake_attempts: int = 1
    timeout: float = 7200.0
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Spec:
    """One spec. attempts: how often it ran, 0 when it did not. message: first words of its failure or of its skip."""

    name: str
    state: State
    seconds: float = 0.0
    attempts: int = 1
    message: str = ''

    @property
    def flaky(self) -> bool:
        return self.state is State.PASSED and self.attempts > 1


@dataclass(frozen=True)
class Suite:
    """Everything that the JUnit files of one run tell.

    specs: sorted by name. setup: failures of suite nodes such as BeforeSuite, as '<node>: <message>'. stopped: why
    ginkgo ended the suite early ('Suite Timeout Elapsed'), empty when it did not.
    """

    specs: tuple[Spec, ...] = ()
    setup: tuple[str, ...] = ()
    stopped: str = ''


@dataclass(frozen=True)
class Evidence:
    """What a runner left: code is negative for a signal; junits exist; answer: last words of the program."""

    program: str
    code: int
    expired: bool
    log: Path
    junits: tuple[Path, ...]
    answer: str = ''


@dataclass(frozen=True)
class Failure:
    """A spec that did not pass. reason: of the waiver that forgives it, empty when none does."""

    name: str
    state: State
    message: str
    reason: str = ''


@dataclass(frozen=True)
class Summary:
    """Counts and names. total: selected specs of which there is a result; skipped: those among them that could not run
    here; unreached: selected specs that ginkgo announced and has no result of, for it was stopped before."""

    total: int = 0
    passed: int = 0
    failed: int = 0
    forgiven: int = 0
    skipped: int = 0
    unreached: int = 0
    seconds: float = 0.0
    failures: tuple[Failure, ...] = ()
    flaky: tuple[str, ...] = ()
    unused_waivers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """The answer to a Request: merged JUnit file (None when there is nothing to merge), counts, verdict."""

    junit: Path | None
    summary: Summary
    outcome: Outcome
    reason: str
    advice: str = ''
    verdict: str = ''


Say = Callable[[str], None]


class Runner(Protocol):
    """A way to run specs."""

    @property
    def name(self) -> str: ...

    def version(self) -> str:
        """Of the Kubernetes whose specs it brings ('v1.34.10'), empty when it takes those of the server."""
        ...

    def specs(self) -> Sequence[str]:
        """Names of all conformance specs; a ToolProblem when this runner cannot tell."""
        ...

    def run(self, request: Request, place: Path, say: Say, clock: Clock) -> Evidence:
        """Run to the end, with everything below `place`. Raises only when the program cannot even start."""
        ...
