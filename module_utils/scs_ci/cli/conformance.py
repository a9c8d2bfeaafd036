"""scs-ci conformance: run conformance specs on the clusters that deploy created, or on one that is named."""

from __future__ import annotations

import argparse
import base64
import binascii
import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..conformance import stage, waivers
from ..conformance.e2e_test import E2eTest
from ..conformance.hydrophone import Hydrophone
from ..conformance.model import Request, Runner
from ..conformance.selection import SELECTIONS
from ..conformance.sonobuoy import Sonobuoy
from ..core.errors import ToolProblem, UsageProblem
from ..core.records import PlannedVersion
from ..core.run import RunDirectory, StageRun, version_stage
from ..deploy.stage import USABLE
from ..deploy.upgraded import minor
from ..plane.kube import Api
from .common import add_run, add_versions, open_run, positive, show

RUNNERS = ('e2e.test', 'sonobuoy', 'hydrophone')
# Minutes for the suite: a full run of one minor takes an hour on a small real cluster.
MINUTES = 120.0
# Many specs wait for pods and not for processors: four at a time, as upstream's own jobs do per node.
PROCESSES = 4


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_versions(parser)
    where = parser.add_argument_group('where')
    where.add_argument(
        '--kubeconfig', type=Path, metavar='FILE', help="of the management cluster (default: the run's plane)"
    )
    where.add_argument('--cluster-kubeconfig', type=Path, metavar='FILE', help='of the cluster itself, instead')
    what = parser.add_argument_group('what')
    what.add_argument('--select', choices=tuple(SELECTIONS), default='smoke', help='specs by tags (default: smoke)')
    what.add_argument('--focus', default='', metavar='REGEX', help='specs by name instead')
    what.add_argument('--skip', default='', metavar='REGEX', help='leave these out; prefer waivers, which are shown')
    what.add_argument('--waivers', type=Path, metavar='FILE', help="SCS's okToFail: specs that may fail")
    how = parser.add_argument_group('how')
    how.add_argument('--runner', choices=RUNNERS, default=RUNNERS[0], help=f'default {RUNNERS[0]}')
    how.add_argument('--tools', metavar='DIR', default='', help='directory of the programs (default: SCS_CI_TOOLS)')
    how.add_argument('--parallel', type=_count, default=PROCESSES, metavar='N', help=f'default {PROCESSES}')
    how.add_argument('--flake-attempts', type=_count, default=1, metavar='N', help='tries of a failed spec (default 1)')
    how.add_argument('--minutes', type=positive, default=MINUTES, metavar='N', help=f'limit (default {MINUTES:g})')
    how.add_argument('--extra', action='append', default=[], metavar='ARGUMENT', help='for e2e.test (repeatable)')
    how.add_argument('--stand-ins', default='', metavar='LIST', help='test images that are not the real ones')
    how.add_argument('--simulated', default='', metavar='LIST', help='what is not real in this cloud, e.g. hypervisor')


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 64:  # more processes or tries than that is a slip of the finger
        raise argparse.ArgumentTypeError(f'{text} is no number between 1 and 64')
    return number


def run(options: argparse.Namespace) -> int:
    """Run the stage for every planned version; exit code of the worst."""
    directory = open_run(options)
    setups = {minor: _setup(options, minor) for minor in {minor(v.kubernetes) for v in directory.plan().versions}}

    def body(state: StageRun, version: PlannedVersion) -> None:
        setup = setups[minor(version.kubernetes)]
        if unproven := _unproven(directory, version):
            setup = setup.without(unproven)
        with _kubeconfig(options, directory, version) as path:
            stage.conformance(state, path, Api(path).version(), version.kubernetes, setup)

    return show(version_stage(directory, 'conformance', body, tuple(options.version)), options.json)


def _unproven(directory: RunDirectory, version: PlannedVersion) -> list[str]:
    """Workloads of kube-system that deploy did not wait for, because nobody has their images."""
    record = directory.record('deploy', version.key)
    return [str(one['workload']) for one in record.facts.get('unproven') or ()] if record else []


def _setup(options: argparse.Namespace, minor: str) -> stage.Setup:
    """All inputs read, so that a wrong one is a usage error before anything runs."""
    for name in ('focus', 'skip'):
        try:
            re.compile(getattr(options, name))
        except re.error as error:
            raise UsageProblem(
                'cannot use', f'--{name} {getattr(options, name)!r}', str(error), 'it must be a regular expression'
            ) from error
    search = _search(options.tools)
    runners: dict[str, Runner] = {
        'e2e.test': E2eTest(search, minor),
        'sonobuoy': Sonobuoy(search),
        'hydrophone': Hydrophone(search),
    }
    request = Request(
        kubeconfig=Path(),
        focus=options.focus,
        skip=options.skip,
        ok_to_fail=waivers.read(options.waivers) if options.waivers else (),
        parallel=options.parallel,
        flake_attempts=options.flake_attempts,
        timeout=options.minutes * 60,
        extra=tuple(options.extra),
    )
    return stage.Setup(
        runner=runners[options.runner],
        lister=runners['e2e.test'],
        request=request,
        selection='' if options.focus else options.select,
        stand_ins=_words(options.stand_ins),
        simulated=_words(options.simulated),
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(',') if word.strip())


def _search(tools: str) -> str:
    """Where the programs are. A directory that was named must have them: falling back would hide the mistake."""
    named = tools or os.environ.get('SCS_CI_TOOLS', '')
    own = [str(Path(named).absolute() / 'bin'), str(Path(named).absolute())] if named else []
    return os.pathsep.join(own if tools else own + [os.environ.get('PATH', os.defpath)])


@contextlib.contextmanager
def _kubeconfig(options: argparse.Namespace, directory: RunDirectory, version: PlannedVersion) -> Iterator[Path]:
    """The cluster's kubeconfig: as given, or out of Cluster API's secret into a file that lives as long as the stage.

    It is a credential, so it stays out of the run directory and is readable for its owner only.
    """
    if options.cluster_kubeconfig:
        if not options.cluster_kubeconfig.is_file():
            raise UsageProblem(
                'cannot read', f'kubeconfig {options.cluster_kubeconfig}', 'there is no such file', 'name another'
            )
        yield options.cluster_kubeconfig.absolute()
        return
    content = _of_cluster(options, directory, version)
    with tempfile.TemporaryDirectory(prefix='scs-ci-kubeconfig-') as folder:
        path = Path(folder) / 'kubeconfig'
        path.touch(mode=0o600)
        path.write_bytes(content)
        yield path


def _of_cluster(options: argparse.Namespace, directory: RunDirectory, version: PlannedVersion) -> bytes:
    """Content of secret <cluster>-kubeconfig, which Cluster API writes (type cluster.x-k8s.io/secret, key value)."""
    deploy, plane = directory.record('deploy', version.key), directory.record('plane')
    cluster = deploy.facts.get('cluster') if deploy else None
    kubeconfig = options.kubeconfig or (plane.facts.get('kubeconfig') if plane else None)
    if not cluster or not kubeconfig:
        missing = (
            'the record of deploy names no cluster' if not cluster else f'{directory.path} has no record of a plane'
        )
        raise UsageProblem('cannot find', f'the cluster of {version.key}', missing, 'pass --cluster-kubeconfig')
    until = deploy.facts.get('until') if deploy else None
    if until != USABLE:
        advice = 'leave conformance out, or deploy to the end (in the sandbox: E2E=cluster)'
        raise UsageProblem('cannot test', f'the cluster of {version.key}', f'deploy ended with: {until}', advice)
    name, space = f'{cluster}-kubeconfig', directory.names.namespace
    secret = Api(Path(kubeconfig)).get('v1', 'Secret', name, space)
    if secret is None:
        answer = 'there is none: the control plane was never initialized'
        raise ToolProblem('cannot read', f'secret {space}/{name}', answer, 'see why deploy passed without it')
    try:
        return base64.b64decode(secret['data']['value'], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        raise ToolProblem('cannot read', f'secret {space}/{name}', str(error), 'see what else writes it') from error
