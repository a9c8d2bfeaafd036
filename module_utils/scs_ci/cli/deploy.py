"""scs-ci deploy: create clusters from published releases, or delete those of the run."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from ..cloud import connect, failures
from ..cloud.view import View
from ..core import files
from ..core.clock import SystemClock
from ..core.errors import InfrastructureProblem, Problem, ToolProblem, UsageProblem
from ..core.outcome import Exit
from ..core.records import PlannedVersion
from ..core.redact import Redactor, secrets_of
from ..core.run import RunDirectory, StageRun, version_stage
from ..deploy import addons, delete, stage
from ..deploy.deployment import Rendered
from ..deploy.kinds import Object
from ..deploy.objects import Release, Topology
from ..deploy.render import render_class
from ..deploy.variables import CloudChoice, Flavor, choose_flavor, class_variables
from ..deploy.waiting import LIMITS
from ..plane.kube import Api
from ..plane.lifecycle import Plane
from ..plane.status import status
from ..stack import discover
from ..stack.charts import chart_source
from ..stack.helm import helm
from .common import add_run, add_versions, is_planned, open_run, positive, show

# Applies to every version whose class has the variable.
EVERY = '*'
# Word of --simulated: servers are no machines that could become nodes.
MACHINE = 'machine'


def arguments(parser: argparse.ArgumentParser) -> None:
    add_place(parser)
    parser.add_argument(
        '--variables',
        type=Path,
        metavar='FILE',
        help="YAML: stack path, version key or '*' to values of cluster class variables",
    )
    parser.add_argument(
        '--until',
        choices=('topology', 'server', 'cluster'),
        help="'topology' needs no cloud (default: server where machines are simulated, else cluster)",
    )
    parser.add_argument('--control-planes', type=_odd, default=1, metavar='N', help='1, 3 or 5 (default 1)')
    parser.add_argument('--workers', type=_count, default=1, metavar='N', help='machines that are no control plane (1)')
    parser.add_argument(
        '--zone',
        action='append',
        default=[],
        metavar='NAME',
        help='failure domain of workers, which spread over all',
    )
    parser.add_argument(
        '--delete', action='store_true', help='delete the clusters of the run and wait until they are gone'
    )


def add_place(parser: argparse.ArgumentParser) -> None:
    """Options that say where clusters are and what is needed to follow them."""
    add_run(parser)
    add_versions(parser)
    parser.add_argument(
        '--kubeconfig', type=Path, metavar='FILE', help="of the management cluster (default: the run's plane)"
    )
    parser.add_argument(
        '--clouds', type=Path, metavar='FILE', help='clouds.yaml for the clusters (default: OS_CLIENT_CONFIG_FILE)'
    )
    parser.add_argument('--cloud', metavar='NAME', help="cloud for the clusters (default: the run's)")
    parser.add_argument('--tools', type=Path, metavar='DIR', help='directory of the programs (default: SCS_CI_TOOLS)')
    parser.add_argument(
        '--simulated', default='', metavar='LIST', help='what is not real in this cloud, e.g. hypervisor,machine'
    )
    parser.add_argument(
        '--without-images',
        action='append',
        default=[],
        metavar='BEGINNING',
        help='of names of images that nobody has in this cloud; what waits for nothing else is named, not waited for',
    )
    parser.add_argument(
        '--patience',
        type=positive,
        default=1.0,
        metavar='FACTOR',
        help='multiply the limit of every wait, for slow clouds',
    )
    parser.add_argument(
        '--limit',
        type=_limit,
        action='append',
        default=[],
        metavar='WAIT=SECONDS',
        help=f'limit of one wait, instead of the usual one: {", ".join(LIMITS)}',
    )
    parser.add_argument('--checkout', type=Path, metavar='PATH', help='default: the checkout of the run')
    parser.add_argument(
        '--charts', type=Path, metavar='DIR', help='charts as <host>/<path>/index.yaml (or SCS_CI_CHARTS)'
    )
    parser.add_argument(
        '--plane-logs', type=Path, metavar='DIR', help="the controllers' logs (default: the run's plane)"
    )


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'{text!r} is no number of machines')
    return int(text)


def _limit(text: str) -> tuple[str, float]:
    name, _, seconds = text.partition('=')
    if name not in LIMITS or not seconds.isdecimal() or not int(seconds):
        raise argparse.ArgumentTypeError(f'{text!r} is not one of {", ".join(LIMITS)}, "=" and seconds')
    return name, float(seconds)


def _odd(text: str) -> int:
    """etcd has no majority to lose with an even number of members, so Cluster API refuses one."""
    if text not in ('1', '3', '5'):
        raise argparse.ArgumentTypeError(f'{text!r} is not 1, 3 or 5')
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Deploy every planned version, or delete; exit code of the worst."""
    directory = open_run(options)
    if options.delete:
        return _delete(directory, Api(_kubeconfig(options, directory)))
    setup = make_setup(options, directory) if is_planned('deploy', options, directory) else None

    def body(state: StageRun, version: PlannedVersion) -> None:
        if setup is None:
            raise AssertionError('a version without the stage is skipped before its body')
        with blaming_plane(directory, f'deploy {version.key}'):
            stage.deploy(state, version, setup)

    return show(version_stage(directory, 'deploy', body, tuple(options.version)), options.json)


@contextlib.contextmanager
def blaming_plane(directory: RunDirectory, what: str) -> Iterator[None]:
    """A problem in the block gets a better cause when a process of the run's own plane has ended."""
    try:
        yield
    except Problem as problem:
        if lost := _lost_processes(directory):
            raise ToolProblem(
                f'cannot {what} without',
                f'process {", ".join(lost)} of the management plane',
                f'ended by itself, so: {problem.reason}',
                "see 'scs-ci plane status' and its logs, start it with 'scs-ci plane up', then try again",
            ) from problem
        raise


def _delete(directory: RunDirectory, api: Api) -> int:
    def say(text: str) -> None:
        directory.progress.say(text, 'delete')

    gone = delete.delete_clusters(api, directory.names.namespace, say, SystemClock(), connect=_connect)
    say(f'{len(gone)} clusters deleted')
    return Exit.PASSED


def make_setup(options: argparse.Namespace, directory: RunDirectory) -> stage.Setup:
    """All inputs read, so that a wrong one is a usage error; the cloud is asked later, within the stage."""
    simulated = tuple(word for word in options.simulated.split(',') if word)
    until = options.until or ('server' if MACHINE in simulated else 'cluster')
    entry, ca, choice = _cloud(options, directory) if until != 'topology' else ({}, '', CloudChoice)
    name = options.cloud or directory.info.cloud
    view = View(functools.cache(lambda: connect.connect(name))) if entry else None
    return stage.Setup(
        api=Api(_kubeconfig(options, directory)),
        space=directory.names.namespace,
        cloud=entry,
        ca=ca,
        choice=choice,
        render=_renderer(directory, options.tools),
        overrides=_overrides(options.variables),
        simulated=simulated,
        logs=options.plane_logs or _of_plane(directory, 'logs'),
        patience=options.patience,
        limits=dict(options.limit),
        until=until,
        is_active=_is_active(view) if view else None,
        view=view,
        absent=tuple(options.without_images),
        topology=Topology(options.control_planes, options.workers, tuple(options.zone)),
        connect=_connect,
        addons=_addons(options.checkout or Path(directory.info.checkout), options.charts, options.tools),
    )


@contextlib.contextmanager
def _connect(kubeconfig: str) -> Iterator[Api]:
    """A client of the cluster itself. Its kubeconfig is the administrator's: a file of ours alone, for as long."""
    with TemporaryDirectory(prefix='scs-ci-workload-') as place:  # mode 0700
        path = Path(place) / 'kubeconfig'
        path.write_text(kubeconfig, encoding='utf-8')
        yield Api(path)


def _addons(checkout: Path, charts: Path | None, tools: Path | None) -> Rendered:
    source = chart_source(charts, os.environ)

    def rendered(version: PlannedVersion, objects: Mapping[str, Object]) -> list[addons.Expected]:
        stack = discover.load(checkout, discover.Place(version.path, version.layout))
        with helm(tools) as program:
            return addons.expected(stack, objects, program, source)

    return rendered


def _lost_processes(directory: RunDirectory) -> list[str]:
    """Dead processes of the run's own plane, where it runs on this host: a better cause than what follows from it."""
    place = _of_plane(directory, 'state')
    if place is None:
        return []
    with contextlib.suppress(Problem):  # not on this host, or deleted meanwhile: the first problem is what counts
        return [process.name for process in status(Plane(place)).processes if process.state == 'dead']
    return []


def _kubeconfig(options: argparse.Namespace, directory: RunDirectory) -> Path:
    found: Path | None = options.kubeconfig or _of_plane(directory, 'kubeconfig')
    if found is None:
        answer = f'{directory.path} has no record of a plane'
        raise UsageProblem(
            'cannot find', 'the management cluster', answer, "pass --kubeconfig or run 'scs-ci plane up'"
        )
    return found


def _of_plane(directory: RunDirectory, fact: str) -> Path | None:
    """What the run's plane recorded, if there is one."""
    record = directory.record('plane')
    return Path(record.facts[fact]) if record and record.facts.get(fact) else None


def _cloud(
    options: argparse.Namespace, directory: RunDirectory
) -> tuple[dict[str, Any], str, Callable[[], CloudChoice]]:
    """Entry and CA of the cloud, and the question what of it to use, asked once."""
    name = options.cloud or directory.info.cloud
    clouds = options.clouds or Path(os.environ.get('OS_CLIENT_CONFIG_FILE', 'clouds.yaml'))
    entry, ca = cloud_entry(clouds, name)
    directory.keep_secret(Redactor(secrets_of(entry)))
    os.environ['OS_CLIENT_CONFIG_FILE'] = str(clouds)
    return entry, ca, functools.cache(lambda: _choice(name))


def cloud_entry(path: Path, name: str) -> tuple[dict[str, Any], str]:
    """The cloud's entry without the path of its CA certificate, and that certificate as PEM."""
    content = _yaml(path, 'clouds file')
    clouds = content.get('clouds') or {}
    if not isinstance(clouds.get(name), dict):
        known = ', '.join(sorted(clouds)) or 'none'
        raise UsageProblem('cannot find', f'cloud {name!r} in {path}', f'it has {known}', 'use one of these names')
    entry = dict(clouds[name])
    certificate = entry.pop('cacert', None)
    return entry, _text(Path(certificate), 'CA certificate') if certificate else ''


def _is_active(view: View) -> Callable[[str], bool]:
    """Asks the cloud whether the server of an id is ACTIVE. No answer is a no: CAPO tells it later."""

    def is_active(server: str) -> bool:
        found = None
        with contextlib.suppress(InfrastructureProblem):
            found = view.server(server)
        return found is not None and found['status'] == 'ACTIVE'

    return is_active


def _choice(name: str) -> CloudChoice:
    """The flavor by its properties; the external network when there is exactly one: of several, the class must say."""
    cloud = connect.connect(name)
    with failures.cloud_errors('cannot list flavors and networks of', f'cloud {name}'):
        flavors = [Flavor(f.name, f.vcpus, f.ram, f.disk) for f in cloud.sdk.compute.flavors()]
        networks = [network.id for network in cloud.sdk.network.networks(is_router_external=True)]
    flavor = choose_flavor(flavors)
    return CloudChoice(flavor.name, bool(flavor.disk), networks[0] if len(networks) == 1 else '')


def _renderer(directory: RunDirectory, tools: Path | None) -> stage.Render:
    def render(version: PlannedVersion, release: Release, space: str) -> Sequence[Object]:
        place = directory.place(version.key) / 'release' / release.tag
        return render_class(stage.class_archive(place, release), release, space, tools)

    return render


def _overrides(path: Path | None) -> Callable[[PlannedVersion, Object], Mapping[str, Any]]:
    content = _yaml(path, 'variables file') if path else {}

    def overrides(version: PlannedVersion, cluster_class: Object) -> Mapping[str, Any]:
        known = class_variables(cluster_class)
        common = {name: value for name, value in (content.get(EVERY) or {}).items() if name in known}
        return common | (content.get(version.path) or {}) | (content.get(version.key) or {})

    return overrides


def _yaml(path: Path, what: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(_text(path, what)) or {}  # an empty file says nothing, and that is a mapping
    except yaml.YAMLError as error:
        raise UsageProblem('cannot parse', f'{what} {path}', str(error), 'fix the YAML') from error
    if not isinstance(content, dict):
        raise UsageProblem('cannot use', f'{what} {path}', 'it is not a mapping', 'see the documentation of the file')
    return content


def _text(path: Path, what: str) -> str:
    with files.reading(path, what):
        return path.read_text(encoding='utf-8')
