"""scs-ci check: check cluster stacks without a cloud, alone or as a stage of a run."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from ..core.errors import ProductProblem, UsageProblem
from ..core.outcome import Exit
from ..core.records import Finding, PlannedVersion, Severity
from ..core.run import StageRun, version_stage
from ..stack import changes, discover, output
from ..stack.charts import ChartSource, chart_source
from ..stack.check import demand_complete, run_rules
from ..stack.helm import Helm, helm
from ..stack.model import Stack
from ..stack.render import render_stack
from .common import add_json, add_versions, open_run, show


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('paths', nargs='*', type=Path, metavar='PATH', help='checkouts or stacks to check')
    parser.add_argument('--run', type=Path, metavar='DIR', help='check the versions of a run instead')
    add_versions(parser)
    add_json(parser)
    parser.add_argument('--checkout', type=Path, metavar='PATH', help='with --run; default: the checkout of the run')
    parser.add_argument('--stack', action='append', default=[], metavar='GLOB', help='only these stacks (repeatable)')
    parser.add_argument('--changed-since', default='', metavar='REF', help='only stacks whose content differs from REF')
    parser.add_argument('--format', choices=('text', 'json'), default='text', help='of the findings (default text)')
    parser.add_argument(
        '--charts', type=Path, metavar='DIR', help='charts as <host>/<path>/index.yaml (or SCS_CI_CHARTS)'
    )
    parser.add_argument(
        '--tools', type=Path, metavar='DIR', help='directory with the Go programs (default SCS_CI_TOOLS)'
    )


def run(options: argparse.Namespace) -> Exit:
    if bool(options.run) == bool(options.paths):
        raise UsageProblem(
            'cannot check', 'without a subject', 'give either PATH or --run', "see 'scs-ci check --help'"
        )
    source = chart_source(options.charts, os.environ)
    with helm(options.tools) as program:
        return _stage(options, program, source) if options.run else _alone(options, program, source)


def _stage(options: argparse.Namespace, program: Helm, source: ChartSource) -> Exit:
    directory = open_run(options)
    checkout = options.checkout or Path(directory.info.checkout)

    def body(state: StageRun, version: PlannedVersion) -> None:
        # A stack that cannot even be read raises ProductProblem: the record says failed, and why.
        stack = render_stack(discover.load(checkout, discover.Place(version.path, version.layout)), program, source)
        state.findings.extend(run_rules(stack))
        state.facts['summary'] = output.summary(state.findings)
        state.judge_findings()
        if not _red(state.findings):
            demand_complete(stack)

    return show(version_stage(directory, 'check', body, tuple(options.version)), options.json)


def _alone(options: argparse.Namespace, program: Helm, source: ChartSource) -> Exit:
    stacks: list[Stack] = []
    findings: list[Finding] = []
    for path in options.paths:
        for place in _places(options, path):
            stack, found = _checked(path, place, program, source)
            stacks.append(stack)
            findings.extend(found)
    if options.json or options.format == 'json':
        print(json.dumps(output.document(stacks, findings), indent=2, ensure_ascii=False))
    else:
        print(output.text(findings, len(stacks)))
    if _red(findings):
        return Exit.FAILED
    for stack in stacks:
        demand_complete(stack)
    return Exit.PASSED


def _places(options: argparse.Namespace, path: Path) -> tuple[discover.Place, ...]:
    places = discover.choose(discover.find(path), options.stack)
    if not options.changed_since:
        return places
    differing = changes.changed(path, options.changed_since, places)
    return tuple(place for place in places if place.path in differing)


def _checked(
    path: Path, place: discover.Place, program: Helm, source: ChartSource
) -> tuple[Stack, tuple[Finding, ...]]:
    try:
        stack = render_stack(discover.load(path, place), program, source)
    except ProductProblem as problem:
        stack = discover.unreadable(place)
        finding = Finding(
            'readable', Severity.ERROR, f'{place.path}/{stack.kubernetes.file}', 1, problem.reason, place.path
        )
        return stack, (finding,)
    return stack, run_rules(stack)


def _red(findings: list[Finding]) -> bool:
    return any(finding.severity is Severity.ERROR for finding in findings)
