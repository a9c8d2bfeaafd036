"""Stage `conformance` of a version: run a selection on its cluster and record what came of it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core import files, shape
from ..core.errors import UsageProblem
from ..core.outcome import Outcome
from ..core.run import StageRun
from . import selection
from .judge import CERTIFICATION, demand_version, judge
from .model import Request, Result, Runner

DIRECTORY = 'conformance'
# How images of the sandbox tell of one: 'test image httpd: served by busybox'.
TOLD = re.compile('test image ([^ :]+)')
SHOWN = 60  # characters of an expression in a line of progress
SUMMARY = 'conformance-summary.json'
# For e2e.test, which else waits ten minutes for all pods of kube-system and then gives up; five for DaemonSets.
NOT_READY = ('--minStartupPods=-1', '--system-daemonsets-startup-timeout=1s')


@dataclass(frozen=True)
class Setup:
    """What all versions of a call share.

    request: without kubeconfig and, unless given by hand, without focus. selection: name in SELECTIONS, or '' for the
    focus of the request. lister: the runner that tells the names of specs for a sample. stand_ins: names of test images
    that are not the real ones.
    """

    runner: Runner
    lister: Runner
    request: Request
    selection: str
    stand_ins: tuple[str, ...] = ()
    simulated: tuple[str, ...] = ()

    def without(self, workloads: Sequence[str]) -> Setup:
        """The same for a cluster in which these workloads of kube-system never become ready."""
        request = dataclasses.replace(self.request, extra=(*self.request.extra, *NOT_READY))
        simulated = (*self.simulated, *(f'{workload} (no image)' for workload in workloads))
        return dataclasses.replace(self, request=request, simulated=simulated)


def conformance(state: StageRun, kubeconfig: Path, server: str, planned: str, setup: Setup) -> None:
    """Run and judge. server, planned: Kubernetes versions of the API server and of the plan."""
    runner = setup.runner.version()
    state.facts.update({'runner': setup.runner.name, 'runner_version': runner or server, 'server_version': server})
    state.facts.update({'selection': setup.selection or 'focus', 'stand_ins': _stand_ins(setup)})
    state.simulated.update(setup.simulated, (f'test image {name} (stand-in)' for name in setup.stand_ins))
    demand_version(runner, server, planned)
    request = dataclasses.replace(_request(setup, state), kubeconfig=kubeconfig)
    chosen = setup.selection or f'focus {setup.request.focus[:SHOWN]!r}'
    state.say(f'{chosen} with {setup.runner.name}, {request.parallel} processes')
    place = state.directory / DIRECTORY
    place.mkdir(parents=True, exist_ok=True)
    evidence = setup.runner.run(request, place, state.say, state.run.clock)
    result = judge(request, evidence, place)
    _record(state, result, [evidence.log])


def _stand_ins(setup: Setup) -> list[str]:
    """Names of the test images that are not the real ones: those that were given, and those that the cloud tells."""
    told = (found[1] for word in setup.simulated if (found := TOLD.match(word)))
    return list(dict.fromkeys((*setup.stand_ins, *told)))


def _request(setup: Setup, state: StageRun) -> Request:
    """The request with the focus of the selection; a sample becomes an expression of the very names."""
    if not setup.selection:
        return setup.request
    wanted = selection.named(setup.selection)
    focus, skip = wanted.focus, wanted.skip
    if wanted.sample < 1:
        names = selection.chosen(wanted, setup.lister.specs())
        if not names:
            raise UsageProblem(
                'cannot select', f'specs {setup.selection}', 'no spec has the tags', 'see doc/conformance.md'
            )
        focus, skip = selection.expression(names), ''
        state.facts['selected'] = len(names)
    skips = '|'.join(filter(None, (skip, setup.request.skip)))
    return dataclasses.replace(setup.request, focus=focus, skip=skips)


def _record(state: StageRun, result: Result, logs: Sequence[Path]) -> None:
    summary = state.directory / DIRECTORY / SUMMARY
    files.write_json(summary, shape.dump(result.summary))
    for path in (result.junit, summary, *logs):
        if path and path.is_file():
            state.artifact(path)
    if result.junit:
        state.facts['junit'] = str(result.junit.relative_to(state.run.path))
    state.facts['counts'] = {
        name: getattr(result.summary, name)
        for name in ('total', 'passed', 'failed', 'forgiven', 'skipped', 'unreached')
    }
    state.facts['failures'] = shape.dump(result.summary.failures)
    state.facts['flaky'] = list(result.summary.flaky)
    state.facts['unused_waivers'] = list(result.summary.unused_waivers)
    stands = state.facts['stand_ins'] and result.outcome is Outcome.PASSED
    reason = f'{result.reason}; stand-in images: {CERTIFICATION}' if stands else result.reason
    state.end(result.outcome, reason, result.advice, result.verdict)
