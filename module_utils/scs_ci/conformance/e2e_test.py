"""Runner 'e2e.test': Kubernetes' own e2e suite as a local process, through ginkgo. The default in the sandbox."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from ..core import process
from ..core.clock import Clock
from ..core.errors import ToolProblem
from . import launch, output
from .model import Evidence, Request, Say

PROGRAM, GINKGO = 'e2e.test', 'ginkgo'
# Seconds for questions to the program; it loads all specs before it answers (5 s on two busy cores).
ANSWER = 120.0
LOG = 'e2e.log'
REPORTS = 'reports'
# Clusters are reached without: the proxies of this machine know neither their API nor their services, and specs pass
# the variables on to kubectl.
PROXIES = frozenset({'http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'})


@dataclass(frozen=True)
class E2eTest:
    """search: a PATH string with e2e.test and ginkgo (and kubectl, which some specs of sig-cli call). minor: '1.34'
    prefers programs of that name (e2e-1.34.test, ginkgo-1.34), for there may be several beside each other."""

    search: str | None = None
    minor: str = ''
    name: str = PROGRAM

    def version(self) -> str:
        """Version of Kubernetes that the specs are from."""
        return process.check([self._program(PROGRAM), '--version'], timeout=ANSWER).stdout.strip()

    def specs(self) -> Sequence[str]:
        """Names of the conformance specs, from the list that is built into the program."""
        program = self._program(PROGRAM)
        done = process.check([program, '--list-conformance-tests'], timeout=ANSWER)
        try:
            return [str(entry['codename']) for entry in yaml.safe_load(done.stdout)]
        except (yaml.YAMLError, TypeError, KeyError) as error:
            raise ToolProblem(
                'cannot read', f'list of specs of {program}', str(error), 'build it anew from an unchanged Kubernetes'
            ) from error

    def run(self, request: Request, place: Path, say: Say, clock: Clock) -> Evidence:
        log, reports = place / LOG, place / REPORTS
        shutil.rmtree(reports, ignore_errors=True)
        log.unlink(missing_ok=True)
        argv = self.command(request, reports)
        env = {name: value for name, value in os.environ.items() if name.lower() not in PROXIES}
        env['KUBECONFIG'] = str(request.kubeconfig)
        ended = launch.run(argv, log, request.timeout, say, clock, lambda text: output.counts(text).line(), env)
        junits = tuple(sorted(reports.glob('junit*.xml')))
        return Evidence('ginkgo', ended.code, ended.expired, log, junits, launch.last_words(log))

    def command(self, request: Request, reports: Path) -> list[str]:
        """The command line. Specs with the decorator Serial run alone after the others, so one call does them all."""
        kubectl = shutil.which('kubectl', path=self.search)
        return [
            self._program(GINKGO),
            f'--procs={request.parallel}',
            '--no-color',
            f'--flake-attempts={request.flake_attempts}',
            f'--timeout={request.timeout:.0f}s',
            f'--focus={request.focus}',
            *([f'--skip={request.skip}'] if request.skip else []),
            self._program(PROGRAM),
            '--',
            f'--report-dir={reports}',
            f'--kubeconfig={request.kubeconfig}',
            '--provider=skeleton',
            # logs of nodes are gathered by the deploy stage, which can get at them
            '--disable-log-dump',
            *([f'--kubectl-path={kubectl}'] if kubectl else []),
            *request.extra,
        ]

    def _program(self, name: str) -> str:
        # a suite must end in .test, or ginkgo finds none
        named = name.replace('.', f'-{self.minor}.') if '.' in name else f'{name}-{self.minor}'
        own = shutil.which(named, path=self.search) if self.minor else None
        return own or process.program(name, self.search)
