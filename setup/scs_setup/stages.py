"""How far `make e2e` goes: nothing but servers, or clusters of real machines and what is tested on them."""

import json
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import before, cache, launch, paths, programs, tools
from .problems import PASSED, USAGE, SetupProblem

NODE, E2E = 'node-', 'e2e-'
# No conformance at all; the others are what `scs-ci conformance --select` knows.
NO_SPECS = 'none'
SPECS = (NO_SPECS, 'smoke', 'quick', 'parallel', 'certified')
# Selections with specs that cannot pass in the sandbox.
WAIVED = ('quick', 'parallel', 'certified')
EXAMPLE = 'examples/cluster-stacks'
# Value of UPGRADE for clusters that are made of the Kubernetes minor before.
NEW_MINOR = 'minor'
# Of images that no machine of the sandbox has.
ABSENT = paths.CHECKOUT / 'sandbox/absent-images.toml'


@dataclass(frozen=True)
class Extent:
    """What E2E=... means. machines: servers of clusters are real machines, so that they become nodes. specs: selection
    of conformance. upgrade: to the next release afterwards. new_minor: from one of the Kubernetes minor before."""

    machines: bool = True
    control_planes: int = 1
    workers: int = 2
    specs: str = 'smoke'
    upgrade: bool = False
    new_minor: bool = False


# What is only for clusters.
MORE = ('CONTROL_PLANES', 'WORKERS', 'CONFORMANCE', 'UPGRADE')
# The stacks' two spellings; a class without load balancer has neither.
BALANCED = {'apiServerLoadBalancer': 'octavia-ovn', 'apiserver_loadbalancer': 'octavia-ovn'}
INFRA, CLUSTER = 'infra', 'cluster'
EXTENTS = {
    INFRA: Extent(machines=False, workers=1, specs=NO_SPECS),
    CLUSTER: Extent(upgrade=True),
    'full': Extent(control_planes=3, specs='quick', upgrade=True),
}


def chosen(environ: Mapping[str, str]) -> Extent:
    """The extent that make hands over: E2E, and CONTROL_PLANES, WORKERS, CONFORMANCE, UPGRADE for what differs from it.

    The example becomes a cluster. Of another checkout nobody knows whether its images can be had here, so that is asked
    for by name.

    Raises:
        SetupProblem: a value that none of them can have.
    """
    default = INFRA if environ.get('CHECKOUT', '').strip() else CLUSTER
    base = EXTENTS[_one_of(environ, 'E2E', tuple(EXTENTS), default)]
    if not base.machines:
        given = [name for name in MORE if environ.get(name, '').strip()]
        if given:
            raise _wrong(
                given[0], environ[given[0]], 'without machines there are no clusters', 'add E2E=cluster or E2E=full'
            )
        return base
    upgrade = _one_of(environ, 'UPGRADE', ('0', '1', NEW_MINOR), str(int(base.upgrade)))
    return Extent(
        control_planes=int(_one_of(environ, 'CONTROL_PLANES', ('1', '3', '5'), str(base.control_planes))),
        workers=int(_one_of(environ, 'WORKERS', tuple(map(str, range(100))), str(base.workers))),
        specs=_one_of(environ, 'CONFORMANCE', SPECS, base.specs),
        upgrade=upgrade != '0',
        new_minor=upgrade == NEW_MINOR,
    )


def _one_of(environ: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = environ.get(name, '').strip() or default
    if value not in allowed:
        shown = ', '.join(allowed) if len(allowed) < 10 else f'{allowed[0]} to {allowed[-1]}'
        raise _wrong(name, value, f'it can be {shown}', 'use one of these')
    return value


def _wrong(name: str, value: str, answer: str, advice: str) -> SetupProblem:
    return SetupProblem(f'cannot use {name}={value.strip()}', answer, advice, USAGE)


def extra_variables(extent: Extent) -> dict[str, Any]:
    """What the playbook has to know of it."""
    if not extent.machines:
        return {}
    values: dict[str, Any] = {'control_planes': extent.control_planes, 'workers': extent.workers}
    values['without_images'] = [image['begins'] for image in tomllib.loads(ABSENT.read_text())['image']]
    if extent.specs != NO_SPECS:
        values['conformance'] = extent.specs
    if extent.upgrade:
        values['upgrade'] = True
    if extent.specs in WAIVED:
        values['waivers'] = str(paths.CHECKOUT / 'sandbox/waivers.yaml')
    # Without one, nothing finds further control planes, and CAPO 0.14.7 loses the address of one that is replaced.
    if extent.control_planes > 1 or extent.upgrade:
        values['variables'] = {'*': BALANCED}
    return values


def pod_network(environ: Mapping[str, str], checkout: str) -> str:
    """Value of `scs-sandbox up --cni`: what make hands over as CNI, else 'none' for the example, whose own network's
    images are built from source, and 'provided' for other stacks, for nobody here has their images (cilium). Not both
    at once: pods of two networks would get the same addresses.

    Raises:
        SetupProblem: neither of the two.
    """
    default = 'none' if checkout in ('', str(paths.CHECKOUT / EXAMPLE)) else 'provided'
    return _one_of(environ, 'CNI', ('none', 'provided'), default)


def versions(
    checkout: str, stacks: str, changed_since: str, env: Mapping[str, str]
) -> tuple[dict[str, list[str]], int]:
    """What will be deployed, as `planned` tells it, and 0; none and an exit code if discover said why not. All of it
    can be machines.

    Raises:
        SetupProblem: there are no programs for machines of one of them.
    """
    with tempfile.TemporaryDirectory(prefix='scs-ci-plan-') as folder:
        words = ['scs-ci', 'discover', f'--run={folder}', f'--checkout={checkout or EXAMPLE}']
        code = launch.call([*words, f'--stacks={stacks}', f'--changed-since={changed_since}'], env)
        if code != PASSED:
            return {}, code
        plan = json.loads((Path(folder) / 'plan.json').read_text())
    wanted = planned(plan)
    known = [name.removeprefix(NODE) for name in programs.sets() if name.startswith(NODE)]
    for version, of_it in wanted.items():
        minor = before.minor(version)
        if minor not in known:
            raise SetupProblem(
                f'cannot make clusters of {", ".join(of_it)}',
                f'Kubernetes {minor} is not among those that machines of the sandbox are built of: {", ".join(known)}',
                'leave it out with STACKS=..., or stop before machines with E2E=infra',
                USAGE,
            )
    return wanted, PASSED


def planned(plan: Mapping[str, Any]) -> dict[str, list[str]]:
    """Version of Kubernetes ('v1.34.10') -> paths of the stacks that a plan deploys with it. A version nobody can read
    fails in its own stage."""
    found: dict[str, list[str]] = {}
    for version in sorted(plan['versions'], key=lambda version: str(version['kubernetes'])):
        if version['kubernetes'].count('.') == 2 and 'deploy' in version['stages']:
            found.setdefault(version['kubernetes'], []).append(version['path'])
    return found


def build(extent: Extent, deployed: Iterable[str], machines: Iterable[str]) -> Path:
    """Programs of the machines and of the plane host; says before what takes minutes. Returns the plane host's.

    deployed: versions of the clusters before any upgrade, which conformance sees. machines: of all machines.
    """
    tested = dict.fromkeys(map(before.minor, deployed if extent.specs != NO_SPECS else ()))
    sets = [programs.PLANE, *(E2E + minor for minor in tested)]
    nodes = [NODE + minor for minor in dict.fromkeys(map(before.minor, machines))]
    missing = [name for name in (*sets, *nodes) if not tools.existing(name)]
    if missing:
        cache.say(f'programs to build first, which takes minutes: {", ".join(missing)}')
    for name in nodes:
        tools.ensure(name)
    return tools.combined(sets)
