"""Linters, tests and documentation checks: what `make lint`, `make test` and `make docs` run."""

import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from . import apt, cache, doctor, documentation, environments, launch, paths
from .problems import FAILED, PASSED

# Each kind of Python source, as far as it exists; symlinks to library and module_utils are left out.
PYTHON = ('conftest.py', 'setup', 'module_utils', 'library', 'plugins', 'sandbox', 'tests', 'benchmarks')
TYPED = ('setup/scs_setup', 'module_utils/scs_ci', 'sandbox/scs_sandbox')
ANSIBLE = ('playbooks', 'roles', 'zuul.d')
# Each directory in these with tests is one run of pytest; what its tests need (a sandbox, a plane) it starts itself.
TREES = ('tests', 'tests/integration', 'sandbox/tests')
# But these are one run, in this order, and share one sandbox: to start it and to take it down costs more processor time
# than most tests in it. The last of them leaves a management plane in it, which holds the ports of one.
TOGETHER = (
    'tests/integration/cloud',
    'tests/integration/bad_input',
    'tests/integration/faults',
    'tests/integration/e2e',
)
# Those that take longest begin first, by the first directory of a run, so that no long one runs alone at the end; those
# that boot Kubernetes machines not together, for booting is what needs the processors. Others may follow in any order.
LONGEST = (
    'tests/integration/cluster',
    'tests/integration/cloud',
    'tests/unit',
    'sandbox/tests/integration',
    'tests/integration/stack',
    'sandbox/tests/live',
    'tests/integration/plane',
    'tests/integration/deploy',
    'tests/integration/setup',
)
# Runs of pytest for two processors. One leaves a third of them idle, for tests wait for machines and controllers; with
# three, these wait for processors and are asked for their state the more often.
AT_ONCE = 2


@dataclass(frozen=True)
class Check:
    """One linter: name and command."""

    name: str
    command: tuple[str, ...]


def present(root: Path, names: Sequence[str]) -> list[str]:
    """Those of the names that exist below the root."""
    return [name for name in names if (root / name).exists()]


def shell_scripts(root: Path) -> list[str]:
    """Files of the checkout that are shell scripts, by name or by their first line."""
    found = []
    for folder in present(root, ['bin', '.ci', 'setup', 'sandbox', 'roles', 'tests', 'benchmarks', 'examples']):
        for file in sorted((root / folder).rglob('*')):
            if file.is_file() and not file.is_symlink() and _is_shell(file):
                found.append(str(file.relative_to(root)))
    return found


def _is_shell(file: Path) -> bool:
    if file.suffix:
        return file.suffix == '.sh'
    with file.open('rb') as opened:
        return re.match(rb'#!\s*/(usr/)?bin/(env )?(ba|da)?sh\b', opened.readline(200)) is not None


def linters(root: Path) -> list[Check]:
    """The linters with what they look at."""
    python, typed = present(root, PYTHON), present(root, TYPED)
    result = [
        Check('ruff', ('ruff', 'check', '--quiet', *python)),
        Check('ruff format', ('ruff', 'format', '--check', '--quiet', *python)),
        Check('mypy', ('mypy', '--no-error-summary', *typed)),
        Check('import-linter', ('lint-imports', '--no-cache')),
        Check('yamllint', ('yamllint', '--strict', '.')),
        Check('shellcheck', ('shellcheck', *shell_scripts(root))),
    ]
    ansible = present(root, ANSIBLE)
    if ansible:
        result.append(Check('ansible-lint', ('ansible-lint', '--offline', '--strict', '-q', *ansible)))
    return result


def lint() -> int:
    """Run all linters, say which failed."""
    apt.ensure('lint')
    env = {**launch.prepared(), 'ANSIBLE_HOME': str(paths.cache_root() / 'ansible'), 'NO_COLOR': '1'}
    checks = linters(paths.CHECKOUT)
    codes = launch.call_beside(
        [check.command for check in checks], env, ended=_teller([check.name for check in checks])
    )
    failed = [check.name for check, code in zip(checks, codes, strict=True) if code]
    print(f'linters: {"failed: " + ", ".join(failed) if failed else "all passed"}', flush=True)
    return FAILED if failed else PASSED


def _teller(names: Sequence[str]) -> Callable[[int, int], None]:
    """Says the end of each program by its number, with the seconds since now."""
    started = time.monotonic()

    def ended(number: int, code: int) -> None:
        result = 'passed' if code == 0 else f'ended with {code}'
        cache.say(f'{names[number]}: {result}, {time.monotonic() - started:.1f} s after the start')

    return ended


def runs(root: Path) -> list[tuple[str, ...]]:
    """Directories of each run of pytest, in the order in which they are to begin: all tests, each once."""
    folders = [str(folder.relative_to(root)) for tree in TREES for folder in sorted((root / tree).iterdir())]
    found = [name for name in folders if name not in TREES and any(map(_in_ci, (root / name).rglob('test_*.py')))]
    together = tuple(name for name in TOGETHER if name in found)
    alone = [(name,) for name in found if name not in together]
    return sorted(
        [together, *alone] if together else alone,
        key=lambda names: LONGEST.index(names[0]) if names[0] in LONGEST else len(LONGEST),
    )


def _in_ci(file: Path) -> bool:
    """Whether the file has tests that run unasked: a directory with none would end as one without tests, red."""
    return re.search(r'^pytestmark = .*\bpytest\.mark\.long\b', file.read_text(encoding='utf-8'), re.M) is None


def test(arguments: Sequence[str]) -> int:
    """Linters and documentation first, then all tests (or those that the arguments of pytest choose).

    Everything runs even if something before it failed, so that one run shows all that is wrong. The last line tells the
    numbers of tests.
    """
    checked = [lint(), docs()]
    if os.geteuid() == 0:
        apt.ensure('sandbox')
        allow_watchers()
    else:
        cache.say('not root: tests that need the sandbox will fail; without them: make test ARGS="-m unit"')
    for name in ('openstack', 'ansible218'):
        environments.ensure(name)
    env = launch.prepared(with_tools=True)
    with tempfile.TemporaryDirectory(prefix='scs-ci-junit-') as folder:
        names = [] if arguments else runs(paths.CHECKOUT)
        reports = [Path(folder) / f'{number}.xml' for number in range(len(names) or 1)]
        codes = _pytest(reports, names, arguments, env)
        counts = [count(report) for report in reports]
    good = not any(checked) and not any(codes) and all(c.passed and not c.failed for c in counts)
    cache.say(f'linters and documentation {"FAILED" if any(checked) else "passed"}, pytest ended with {codes}')
    passed, failed, skipped = (sum(getattr(c, name) for c in counts) for name in ('passed', 'failed', 'skipped'))
    print(f'{passed} passed, {failed} failed, {skipped} skipped', flush=True)
    return PASSED if good else FAILED


def allow_watchers(file: Path = doctor.WATCHES) -> None:
    """Raise the host's limit to what the tests need, and say so; it lasts until the next boot. A higher one stays."""
    before = int(file.read_text())
    if before >= doctor.WATCHES_FOR_MORE:
        return
    try:
        file.write_text(f'{doctor.WATCHES_FOR_MORE}\n')
    except OSError as error:
        cache.say(f'fs.inotify.max_user_instances is {before} ({error.strerror}); machines may die at boot')
        cache.say(f'  next: on the host, sysctl fs.inotify.max_user_instances={doctor.WATCHES_FOR_MORE}')
        return
    cache.say(f'fs.inotify.max_user_instances was {before}, is {doctor.WATCHES_FOR_MORE} until the next boot')


def _pytest(
    reports: Sequence[Path], names: Sequence[Sequence[str]], arguments: Sequence[str], env: Mapping[str, str]
) -> Sequence[int]:
    """Exit codes of pytest: one for the tests that the arguments ask for, or one for each run by its directories.

    They run beside each other, for a test mostly waits. Not through pytest-xdist: after Ctrl-C its workers end without
    taking down what they started.
    """
    if arguments:
        return [launch.call(['pytest', f'--junit-xml={reports[0]}', *arguments], env)]
    commands = [['pytest', f'--junit-xml={report}', *run] for report, run in zip(reports, names, strict=True)]
    return launch.call_beside(commands, env, at_once=AT_ONCE, ended=_teller([' '.join(run) for run in names]))


@dataclass(frozen=True)
class Counts:
    """Numbers of tests. An error in a fixture counts as failed."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0


def count(report: Path) -> Counts:
    """Numbers of tests in a JUnit file; none at all if pytest could not write it."""
    if not report.is_file():
        return Counts()
    suites = list(ElementTree.parse(report).getroot().iter('testsuite'))
    total, errors, failures, skipped = (
        sum(int(suite.get(name, '0')) for suite in suites) for name in ('tests', 'errors', 'failures', 'skipped')
    )
    return Counts(total - errors - failures - skipped, errors + failures, skipped)


def docs() -> int:
    """Check that the documentation is complete and that its links lead somewhere."""
    env = launch.prepared()
    findings = documentation.findings(paths.CHECKOUT, env)
    for finding in findings:
        print(finding)
    print(f'documentation: {f"{len(findings)} findings" if findings else "complete"}', flush=True)
    return FAILED if findings else PASSED
