"""Does a workload keep answering? Two replicas behind a Service, asked twice a second, and what was lost meanwhile.

The image is that of the cluster's own CoreDNS: every node of kubeadm has it, and its plugin `health` is a web server
that goes on answering for a while after it was told to end. As a careful user would, the workload has a
PodDisruptionBudget, replicas that avoid each other, and a pause before a pod ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..core.clock import Clock
from .kinds import Object

SPACE, NAME = 'scs-ci-probe', 'probe'
PORT, PATH = 8080, '/health'
# Twice a second: a gap is measured to half a second, and no load balancer notices such a load.
PAUSE = 0.5
# After that a user would have reloaded the page.
REQUEST_SECONDS = 2.0
# A thread that was told to end is within a request and a pause.
END_SECONDS = 3 * (REQUEST_SECONDS + PAUSE)
# Gaps that a record names; more of them are a matter of counting.
MOST_GAPS = 10
COREFILE = f'.:5353 {{\n    health :{PORT} {{\n        lameduck 5s\n    }}\n}}\n'


def workload(image: str) -> list[Object]:
    """Namespace, configuration, two replicas, budget and Service of type LoadBalancer."""
    labels = {'app': NAME}
    meta = {'name': NAME, 'namespace': SPACE, 'labels': labels}
    spec = {
        'replicas': 2,
        'selector': {'matchLabels': labels},
        'template': {'metadata': {'labels': labels}, 'spec': _pod(image, labels)},
    }
    service = {'type': 'LoadBalancer', 'selector': labels, 'ports': [{'name': 'http', 'port': 80, 'targetPort': PORT}]}
    budget = {'minAvailable': 1, 'selector': {'matchLabels': labels}}
    return [
        {'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': SPACE}},
        {'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': meta, 'data': {'Corefile': COREFILE}},
        {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': meta, 'spec': spec},
        {'apiVersion': 'policy/v1', 'kind': 'PodDisruptionBudget', 'metadata': meta, 'spec': budget},
        {'apiVersion': 'v1', 'kind': 'Service', 'metadata': meta, 'spec': service},
    ]


def _pod(image: str, labels: Mapping[str, str]) -> dict[str, Any]:
    term = {'labelSelector': {'matchLabels': dict(labels)}, 'topologyKey': 'kubernetes.io/hostname'}
    prefer = {'preferredDuringSchedulingIgnoredDuringExecution': [{'weight': 100, 'podAffinityTerm': term}]}
    container = {
        'name': NAME,
        'image': image,
        'args': ['-conf', '/etc/coredns/Corefile'],
        'ports': [{'containerPort': PORT}],
        'readinessProbe': {'httpGet': {'path': PATH, 'port': PORT}, 'periodSeconds': 1},
        # until every node and balancer has heard that the pod goes
        'lifecycle': {'preStop': {'sleep': {'seconds': 10}}},
        'resources': {'requests': {'cpu': '10m', 'memory': '32Mi'}},
        'volumeMounts': [{'name': 'config', 'mountPath': '/etc/coredns'}],
    }
    volumes = [{'name': 'config', 'configMap': {'name': NAME}}]
    return {'affinity': {'podAntiAffinity': prefer}, 'containers': [container], 'volumes': volumes}


def image_of(deployments: Sequence[Object]) -> str:
    """Image of the CoreDNS among the Deployments of kube-system; empty when the cluster has none."""
    for deployment in deployments:
        if (deployment['metadata'].get('labels') or {}).get('k8s-app') == 'kube-dns':
            return str(deployment['spec']['template']['spec']['containers'][0]['image'])
    return ''


def address_of(service: Object | None) -> str:
    """Address that the cloud gave a Service of type LoadBalancer; empty while there is none."""
    ingress = (((service or {}).get('status') or {}).get('loadBalancer') or {}).get('ingress') or ()
    return next((str(entry.get('ip') or entry.get('hostname')) for entry in ingress), '')


@dataclass(frozen=True)
class Sample:
    """One request. at: seconds since the probe began, when it was sent; took: seconds until the answer or the end."""

    at: float
    took: float
    good: bool


@dataclass(frozen=True)
class Measured:
    """What a target lost. gaps: (seconds since the begin, length in seconds, requests lost), the longest first.

    A gap lasts from the last good answer before a lost request to the first one after it.
    """

    name: str
    sent: int
    lost: int
    longest_gap: float
    gaps: tuple[tuple[float, float, int], ...]

    @property
    def text(self) -> str:
        gap = f', longest gap {self.longest_gap:.1f} s' if self.lost else ''
        return f'{self.name}: {self.lost} of {self.sent} requests lost{gap}'


def measured(name: str, samples: Sequence[Sample]) -> Measured:
    """Pure: from samples in order to the gaps between good answers."""
    gaps: list[tuple[float, float, int]] = []
    good_until, lost = 0.0, 0
    for sample in samples:
        end = sample.at + sample.took
        if sample.good:
            if lost:
                gaps.append((round(good_until, 1), round(end - good_until, 1), lost))
            good_until, lost = end, 0
        else:
            lost += 1
    if lost:
        last = samples[-1]
        gaps.append((round(good_until, 1), round(last.at + last.took - good_until, 1), lost))
    gaps.sort(key=lambda gap: -gap[1])
    missed = sum(1 for sample in samples if not sample.good)
    return Measured(name, len(samples), missed, gaps[0][1] if gaps else 0.0, tuple(gaps[:MOST_GAPS]))


class Ask(Protocol):
    """One request; True when it was answered as it should be, within REQUEST_SECONDS."""

    def __call__(self) -> bool: ...


@dataclass
class Probe:
    """Asks its targets, each in a thread of its own, from start() to stop(). seconds: the longest it may go on."""

    targets: Mapping[str, Ask]
    clock: Clock
    seconds: float
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    _end: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        begun = self.clock.monotonic()
        for name, ask in self.targets.items():
            self.samples[name] = []
            arguments = (ask, self.samples[name], begun)
            self._threads.append(threading.Thread(target=self._ask, args=arguments, name=f'probe {name}', daemon=True))
        for thread in self._threads:
            thread.start()

    def _ask(self, ask: Callable[[], bool], samples: list[Sample], begun: float) -> None:
        while not self._end.is_set() and (sent := self.clock.monotonic()) - begun < self.seconds:
            good = ask()
            took = self.clock.monotonic() - sent
            samples.append(Sample(sent - begun, took, good))
            self._end.wait(max(0.0, PAUSE - took))

    def stop(self) -> list[Measured]:
        """End all threads and tell what they saw."""
        self._end.set()
        for thread in self._threads:
            thread.join(END_SECONDS)
        return [measured(name, tuple(samples)) for name, samples in self.samples.items()]
