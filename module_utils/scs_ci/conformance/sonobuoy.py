"""Runner 'sonobuoy': CNCF's documented path, and the one that scs-0201 and scs-0219 are defined on.

Steps: delete what an earlier run left, run and wait, retrieve the tarball, delete. Only one run per cluster.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..core import process
from ..core.clock import Clock
from ..core.errors import ToolProblem
from . import launch
from .model import Evidence, Request, Say

PROGRAM = 'sonobuoy'
LOG = 'sonobuoy.log'
RESULTS = 'sonobuoy'
TARBALL = 'results.tar.gz'
INSIDE = PurePosixPath('plugins/e2e/results/global')
# Seconds for deletion (a namespace with pods) and for retrieval (some MB through the API server).
DELETE = 300.0
RETRIEVE = 300.0
STATUS = 60.0
# Bytes of one file of the tarball that is unpacked: e2e.log of a full run is below 100 MB.
LARGEST = 512 * 1024 * 1024


@dataclass(frozen=True)
class Sonobuoy:
    """search: a PATH string with the program."""

    search: str | None = None
    name: str = PROGRAM

    def version(self) -> str:
        """Empty: the conformance image is chosen by the server's version."""
        return ''

    def specs(self) -> Sequence[str]:
        raise ToolProblem(
            'cannot list specs with', 'runner sonobuoy', 'not asked by us', 'name the directory of e2e.test, too'
        )

    def run(self, request: Request, place: Path, say: Say, clock: Clock) -> Evidence:
        log, results = place / LOG, place / RESULTS
        shutil.rmtree(results, ignore_errors=True)
        log.unlink(missing_ok=True)
        results.mkdir(parents=True)
        program = process.program(PROGRAM, self.search)
        own = [program, '--kubeconfig', str(request.kubeconfig)]

        def step(words: Sequence[str], seconds: float) -> launch.Ended:
            argv = [own[0], words[0], *own[1:], *words[1:]]
            return launch.run(argv, log, seconds, say, clock, lambda _: self._progress(request))

        step(['delete', '--wait'], DELETE)
        try:
            ended = step(self.arguments(request), request.timeout)
            # also after a failure: the tarball tells why
            step(['retrieve', str(results), '--filename', TARBALL], RETRIEVE)
        finally:
            step(['delete', '--wait'], DELETE)
        junits = unpack(results / TARBALL, results) if (results / TARBALL).is_file() else ()
        told = results / 'e2e.log'
        shown = told if told.is_file() else log
        return Evidence(PROGRAM, ended.code, ended.expired, shown, junits, launch.last_words(log))

    def arguments(self, request: Request) -> list[str]:
        """Arguments after the program; only plugin e2e, for systemd-logs wants a privileged DaemonSet."""
        ginkgo = ' '.join(
            [
                f'--procs={request.parallel}',
                f'--flake-attempts={request.flake_attempts}',
                f'--timeout={request.timeout:.0f}s',
            ]
        )
        return [
            'run',
            '--plugin=e2e',
            f'--e2e-focus={request.focus}',
            f'--e2e-skip={request.skip}',
            f'--plugin-env=e2e.E2E_EXTRA_GINKGO_ARGS={ginkgo}',
            *([f'--plugin-env=e2e.E2E_EXTRA_ARGS={" ".join(request.extra)}'] if request.extra else []),
            f'--timeout={request.timeout:.0f}',
            f'--wait={max(1, round(request.timeout / 60))}',
        ]

    def _progress(self, request: Request) -> str:
        """From `sonobuoy status`; that it cannot tell is told, and is no reason to stop."""
        argv = [process.program(PROGRAM, self.search), 'status', '--kubeconfig', str(request.kubeconfig), '--json']
        try:
            done = process.run(argv, timeout=STATUS)
        except ToolProblem as problem:
            return f'no status: {problem.reason}'
        return progress(done.stdout) if done.code == 0 else f'no status: {done.last_words(1)}'


def progress(status: str) -> str:
    """One line from the JSON of `sonobuoy status --json`."""
    try:
        plugins = json.loads(status)['plugins']
        plugin = next(plugin for plugin in plugins if plugin.get('plugin') == 'e2e')
        told = plugin.get('progress') or {}
        failed = len(told.get('failures') or [])
        count = f'{int(told.get("completed", 0))} passed, {failed} failed of {int(told.get("total", 0))} specs'
        return f'{plugin.get("status", "unknown")}, {count}' if told else str(plugin.get('status', 'unknown'))
    except (ValueError, KeyError, TypeError, StopIteration, AttributeError):
        return 'no status: its answer cannot be read'


def unpack(tarball: Path, place: Path) -> tuple[Path, ...]:
    """junit*.xml and e2e.log of plugin e2e out of the tarball, by content and never by path; the JUnit files."""
    found: list[Path] = []
    try:
        with tarfile.open(tarball) as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                wanted = name.name == 'e2e.log' or (name.name.startswith('junit') and name.suffix == '.xml')
                if not (member.isfile() and wanted and name.parent == INSIDE and member.size <= LARGEST):
                    continue
                content = archive.extractfile(member)
                if content is None:
                    continue
                target = place / name.name
                with target.open('wb') as file:
                    shutil.copyfileobj(content, file)
                found += [target] if name.suffix == '.xml' else []
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ToolProblem(
            'cannot read', f'tarball {tarball}', str(error), "run it again, or 'sonobuoy retrieve' by hand"
        ) from error
    return tuple(sorted(found))
