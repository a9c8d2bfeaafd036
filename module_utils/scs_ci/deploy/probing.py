"""Puts the probed workload into a cluster, asks it while something happens, and takes it out again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..core import shape
from ..core.clock import Expired, wait
from ..core.errors import Problem
from . import probe
from .addons import Workload
from .deployment import Deployment, watch
from .inside import SYSTEM
from .kinds import Object
from .probe import NAME, SPACE, Probe
from .usable import group

APPS = 'apps/v1'
WORKLOAD, API = 'workload', 'API server'
# A load balancer of a busy Octavia; without one the API server carries the requests, and the record says so.
BALANCER_SECONDS = 180
# Longer than all waits of an upgrade together: an end must be, and stop() comes before it.
PROBE_SECONDS = 4 * 3600


@dataclass(frozen=True)
class Probing:
    """fetch: GET of an URL, True when it answered 200 within probe.REQUEST_SECONDS. through: the same for a path of the
    cluster's API server. Neither raises."""

    fetch: Callable[[str], bool]
    through: Callable[[Any, str], bool]


@contextlib.contextmanager
def probed(run: Deployment, inside: Workload, how: Probing) -> Iterator[None]:
    """Ask the workload and the API server during the block; what came of it is in the facts also when it fails."""
    started = run.clock.monotonic()
    targets = _targets(run, inside, how)
    run.step('probe ready', started)
    asking = Probe(targets, run.clock, PROBE_SECONDS)
    asking.start()
    try:
        yield
    finally:
        found = asking.stop()
        run.state.facts['probes'] = [shape.dump(entry) for entry in found]
        for entry in found:
            run.state.say(entry.text)


def _targets(run: Deployment, inside: Workload, how: Probing) -> dict[str, probe.Ask]:
    targets: dict[str, probe.Ask] = {API: inside.ready}
    image = probe.image_of(inside.list(APPS, 'Deployment', SYSTEM))
    if not image:
        run.state.facts['probe'] = 'no workload: the cluster has no CoreDNS whose image could serve'
        return targets
    for obj in probe.workload(image):
        inside.apply(obj)
    watch(run, 'Workloads', f'Deployment {SPACE}/{NAME}', lambda: _deployed(inside))
    url = _url(run, inside, how)
    run.state.facts['probe'] = f'through load balancer {url}' if url else 'through the API server: no load balancer'
    run.state.say(f'workload of two replicas answers {run.state.facts["probe"]}')
    return {WORKLOAD: (lambda: how.fetch(url)) if url else (lambda: how.through(inside, _path())), **targets}


def _deployed(inside: Workload) -> Object | None:
    found = inside.get(APPS, 'Deployment', NAME, SPACE)
    return group('Workloads', NAME, [{**found, 'kind': 'Deployment'}]) if found else None


def _path() -> str:
    return f'/api/v1/namespaces/{SPACE}/services/http:{NAME}:http/proxy{probe.PATH}'


def _url(run: Deployment, inside: Workload, how: Probing) -> str:
    """The Service's URL as soon as it answers; empty when the cloud gives it none, or one that does not answer."""

    def look() -> str:
        address = probe.address_of(inside.get('v1', 'Service', NAME, SPACE))
        url = f'http://{f"[{address}]" if ":" in address else address}{probe.PATH}'
        return url if address and how.fetch(url) else ''

    try:
        return wait(look, BALANCER_SECONDS * run.setup.patience, 'load balancer', pause=probe.PAUSE, clock=run.clock)
    except Expired as expired:
        run.state.say(f'Service {SPACE}/{NAME} has no load balancer that answers after {expired.seconds:.0f} s')
        return ''


def remove(inside: Workload, say: Callable[[str], None]) -> None:
    """Ask for its deletion. Its load balancer goes with it; whoever deletes the cluster waits for that."""
    try:
        inside.delete('v1', 'Namespace', SPACE)
    except Problem as problem:
        say(f'cannot remove the probe, the deletion of the cluster will: {problem.reason}')
