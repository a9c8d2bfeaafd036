"""Runner 'hydrophone': one pod in the cluster with the conformance image of the server's version."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core import process
from ..core.clock import Clock
from ..core.errors import ToolProblem
from . import launch, output
from .model import Evidence, Request, Say

PROGRAM = 'hydrophone'
LOG = 'hydrophone.log'
RESULTS = 'hydrophone'
# Seconds for `hydrophone --cleanup`: a namespace with one pod goes away within its grace period of 30 s.
CLEANUP = 180.0


@dataclass(frozen=True)
class Hydrophone:
    """search: a PATH string with the program. image: conformance image, empty for the one of the server's version."""

    search: str | None = None
    image: str = ''
    name: str = PROGRAM

    def version(self) -> str:
        """Empty: the image is chosen by the server's version."""
        return ''

    def specs(self) -> Sequence[str]:
        raise ToolProblem(
            'cannot list specs with', 'runner hydrophone', 'it has no such list', 'name the directory of e2e.test, too'
        )

    def run(self, request: Request, place: Path, say: Say, clock: Clock) -> Evidence:
        log, results = place / LOG, place / RESULTS
        shutil.rmtree(results, ignore_errors=True)
        log.unlink(missing_ok=True)
        results.mkdir(parents=True)
        program = process.program(PROGRAM, self.search)
        own = [program, '--kubeconfig', str(request.kubeconfig)]
        try:
            argv = self.command(program, request, results)
            ended = launch.run(argv, log, request.timeout, say, clock, lambda text: output.counts(text).line())
        finally:
            # It cleans up after a run that it saw the end of; what it leaves otherwise would refuse the next run.
            launch.run([*own, '--cleanup'], log, CLEANUP, say, clock, lambda _: 'cleaning up')
        junits = tuple(sorted(results.glob('junit*.xml')))
        told = results / 'e2e.log'
        shown = told if told.is_file() else log
        return Evidence(PROGRAM, ended.code, ended.expired, shown, junits, launch.last_words(shown))

    def command(self, program: str, request: Request, results: Path) -> list[str]:
        """The command line; lists of arguments are separated by commas there, so none may hold one."""
        ginkgo = [f'--flake-attempts={request.flake_attempts}', f'--timeout={request.timeout:.0f}s']
        for argument in request.extra:
            if ',' in argument:
                raise ToolProblem(
                    'cannot pass', f'argument {argument!r}', 'hydrophone splits at commas', 'use another runner'
                )
        return [
            program,
            '--kubeconfig',
            str(request.kubeconfig),
            '--output-dir',
            str(results),
            '--parallel',
            str(request.parallel),
            '--focus',
            request.focus,
            *(['--skip', request.skip] if request.skip else []),
            *(['--conformance-image', self.image] if self.image else []),
            '--extra-ginkgo-args',
            ','.join(ginkgo),
            *(['--extra-args', ','.join(request.extra)] if request.extra else []),
        ]
