"""Small results in the formats of ginkgo 2.21, written after runs of a suite of eight specs; no third-party text."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from scs_ci.conformance.model import Evidence, Request

RUNS = '[sig-node] Pods should run [Conformance]'
FLAKY = '[sig-node] Pods should be flaky [NodeConformance] [Conformance]'
FAILS = '[sig-node] Pods should fail [Conformance]'
SKIPS = '[sig-node] Pods should be skipped [Conformance]'
SLOW = '[sig-node] Pods should be slow [Conformance]'
OTHER = '[sig-node] Pods is no conformance'

HEAD = """Running Suite: Kubernetes e2e suite - /opt/bin
==============================================
Random Seed: 1795598958 - will randomize all specs

Will run 5 of 7199 specs
Running in parallel across 2 processes
"""
FAILURE = f"""------------------------------
• [FAILED] [12.001 seconds]
{FAILS.replace('Pods ', 'Pods [It] ')}
k8s.io/kubernetes/test/e2e/common/node/pods.go:27

  Timeline >>
  STEP: Creating a kubernetes client @ 11/25/26 09:29:18.71
  << Timeline

  [FAILED] expected 200, got 503
  In [It] at: k8s.io/kubernetes/test/e2e/common/node/pods.go:27 @ 11/25/26 09:29:18.71
------------------------------
"""
RETRIED = f"""------------------------------
↺ [FLAKEY TEST - TOOK 2 ATTEMPTS TO PASS] [61.455 seconds]
{FLAKY} [sig-node, NodeConformance, Conformance]
k8s.io/kubernetes/test/e2e/common/node/pods.go:20
------------------------------
"""
TAIL = """
Summarizing 1 Failure:
  [FAIL] [sig-node] Pods [It] should fail [Conformance]
  k8s.io/kubernetes/test/e2e/common/node/pods.go:27

Ran 4 of 7199 Specs in 61.507 seconds
FAIL! -- 3 Passed | 1 Failed | 1 Flaked | 0 Pending | 7195 Skipped


Ginkgo ran 1 suite in 1m2.377063898s

Test Suite Failed
"""
LOG = f'{HEAD.replace("run 5", "run 4")}SSS••SSSSS\n{RETRIED}{FAILURE}SSS\n{TAIL}'


def case(name: str, inside: str = '', status: str = 'passed', node: str = 'It', seconds: float = 1.5) -> str:
    """A test case as kubernetes' report writer leaves it."""
    title = f'[{node}] {name}'.strip()
    return (
        f'<testcase name="{title}" classname="Kubernetes e2e suite" status="{status}" time="{seconds}">'
        f'{inside}</testcase>'
    )


def failed(name: str, text: str = 'expected 200, got 503', state: str = 'failed') -> str:
    location = 'In [It] at: k8s.io/kubernetes/test/e2e/common/node/pods.go:27 @ 11/25/26 09:29:18.71'
    inside = f'<failure message="" type="{state}">[{state.upper()}] {text}&#xA;{location}&#xA;</failure>'
    return case(name, inside, state)


def skipped(name: str, why: str = '') -> str:
    message = f'skipped - {why}' if why else 'skipped'
    return case(name, f'<skipped message="{message}"></skipped>', 'skipped', seconds=0)


def report(*cases: str, stopped: str = '') -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites tests="1" disabled="0" errors="0" failures="0" time="1">'
        '<testsuite name="Kubernetes e2e suite" package="/opt/bin" tests="1" disabled="0" skipped="0" errors="0" '
        'failures="0" time="1" timestamp="2026-11-25T09:29:18"><properties>'
        f'<property name="SpecialSuiteFailureReason" value="{stopped}"></property></properties>'
        f'{"".join(cases)}</testsuite></testsuites>'
    )


MIXED = report(
    case('', node='SynchronizedBeforeSuite'),
    case(RUNS),
    case(FLAKY, seconds=61.4),
    failed(FAILS),
    skipped(SKIPS, 'Only supported for providers [gce]'),
    skipped(OTHER),
    case('Kubernetes e2e suite report', node='ReportAfterSuite'),
)


def request(**changes: object) -> Request:
    values: dict[str, object] = {'kubeconfig': Path('kubeconfig'), 'focus': r'\[Conformance\]', 'timeout': 120.0}
    return Request(**{**values, **changes})  # type: ignore[arg-type]


def evidence(place: Path, *reports: str, code: int = 0, expired: bool = False, log: str = '') -> Evidence:
    """What a runner left, with these JUnit files."""
    paths = [place / f'junit_{number:02}.xml' for number, _ in enumerate(reports, 1)]
    for path, content in zip(paths, reports, strict=True):
        path.write_text(content)
    (place / 'e2e.log').write_text(log)
    return Evidence('ginkgo', code, expired, place / 'e2e.log', tuple(paths), 'its last words')


def tarball(path: Path, **contents: str) -> None:
    """What `sonobuoy retrieve` brings, with more in it than we want."""
    names = {'junit': 'plugins/e2e/results/global/junit_01.xml', 'log': 'plugins/e2e/results/global/e2e.log'}
    names |= {'other': 'resources/cluster/Nodes.json', 'escape': '../../plugins/e2e/results/global/junit_02.xml'}
    with tarfile.open(path, 'w:gz') as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(names[name])
            entry.size = len(content.encode())
            archive.addfile(entry, io.BytesIO(content.encode()))
