"""scs-ci check: check cluster stacks without a cloud, alone or as a stage of a run."""

from __future__ import annotations

import argparse
import datetime
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

from ..core import caching
from ..core.clock import SystemClock
from ..core.errors import UsageProblem
from ..core.outcome import Exit, Outcome
from ..core.records import PlannedVersion, Severity
from ..core.run import StageRun, version_stage
from ..stack import baseline, changes, checking, discover, output, selection
from ..stack.charts import ChartSource, chart_source
from ..stack.check import demand_complete, judge, rule_ids
from ..stack.helm import helm
from ..stack.indexes import IndexSource
from ..stack.model import Facts
from ..stack.outside import Outside
from .common import add_json, add_versions, count, open_run, show


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('paths', nargs='*', type=Path, metavar='PATH', help='checkouts or stacks to check')
    parser.add_argument('--run', type=Path, metavar='DIR', help='check the versions of a run instead')
    add_versions(parser)
    add_json(parser)
    parser.add_argument('--checkout', type=Path, metavar='PATH', help='with --run; default: the checkout of the run')
    parser.add_argument('--stack', action='append', default=[], metavar='GLOB', help='only these stacks (repeatable)')
    parser.add_argument('--changed-since', default='', metavar='REF', help='only stacks whose content differs from REF')
    parser.add_argument('--select', action='append', default=[], metavar='RULE', help='only these rules, also globs')
    parser.add_argument('--ignore', action='append', default=[], metavar='RULE', help='without these rules, also globs')
    parser.add_argument('--format', choices=tuple(output.FORMATS), default='text', help='of the result (default text)')
    parser.add_argument(
        '--baseline', type=Path, metavar='FILE', help='JSON of an earlier check: only what is not in it counts'
    )
    parser.add_argument('--offline', action='store_true', help='fetch no chart: what it would need is not rendered')
    parser.add_argument('--no-cache', action='store_true', help='ask all programs, also what they have answered before')
    parser.add_argument('--jobs', type=count, default=os.cpu_count() or 1, metavar='N', help='stacks at a time')
    parser.add_argument('--date', type=_date, metavar='YYYY-MM-DD', help='the day to judge by (default today)')
    parser.add_argument(
        '--charts', type=Path, metavar='DIR', help='charts as <host>/<path>/index.yaml (or SCS_CI_CHARTS)'
    )
    parser.add_argument(
        '--indexes', type=Path, metavar='DIR', help='indexes as <host>_<path>.yaml instead of asking (SCS_CI_INDEXES)'
    )
    parser.add_argument('--against', default='', metavar='REF', help='judge the upgrade from this Git revision, too')
    parser.add_argument(
        '--tools', type=Path, metavar='DIR', help='directory with the Go programs (default SCS_CI_TOOLS)'
    )


def run(options: argparse.Namespace) -> Exit:
    if bool(options.run) == bool(options.paths):
        raise UsageProblem(
            'cannot check', 'without a subject', 'give either PATH or --run', "see 'scs-ci check --help'"
        )
    source = replace(chart_source(options.charts, os.environ), offline=options.offline)
    return _stage(options, source) if options.run else _alone(options, source)


def _stage(options: argparse.Namespace, source: ChartSource) -> Exit:
    directory = open_run(options)
    checkout = options.checkout or Path(directory.info.checkout)
    means, before = _means(options, source), _baseline(options)

    with helm(options.tools) as program:

        def body(state: StageRun, version: PlannedVersion) -> None:
            # A stack that cannot even be read raises ProductProblem: the record says failed, and why.
            loaded = discover.load(checkout, discover.Place(version.path, version.layout))
            stack = checking.looked_at(loaded, checkout, program, means)
            found = judge(stack, checking.chosen(means))
            compared = baseline.compare(found.findings, before)
            state.findings.extend(compared.new)
            more = {'excepted': len(found.excepted), 'known': compared.known}
            state.facts['summary'] = {**output.summary(state.findings), **more}
            if compared.known:
                state.end(Outcome.PASSED, f'without {compared.known} findings of {options.baseline.name}')
            state.judge_findings()
            if not any(finding.severity is Severity.ERROR for finding in compared.new):
                demand_complete(stack)

        return show(version_stage(directory, 'check', body, tuple(options.version)), options.json)


def _alone(options: argparse.Namespace, source: ChartSource) -> Exit:
    checked = checking.check_all(_subjects(options), _means(options, source), options.jobs)
    found = [finding for one in checked for finding in one.judgement.findings]
    compared = baseline.compare(found, _baseline(options))
    report = output.Report(
        stacks=tuple(one.header for one in checked),
        findings=compared.new,
        excepted=tuple(e for one in checked for e in one.judgement.excepted),
        known=compared.known,
        gone=compared.gone,
    )
    print(output.FORMATS['json' if options.json else options.format](report))
    if report.red:
        return Exit.FAILED
    checking.demand_all_complete(checked)
    return Exit.PASSED


def _means(options: argparse.Namespace, source: ChartSource) -> checking.Means:
    rules = frozenset(selection.choose(rule_ids(), options.select, options.ignore))
    cache = Path(caching.directory(os.environ))
    keep = cache / 'answers' if cache.is_absolute() and not options.no_cache else None  # without a home nothing is kept
    return checking.Means(options.tools, source, rules, _facts(options), _outside(options, source), keep)


def _baseline(options: argparse.Namespace) -> Counter[baseline.Key]:
    return baseline.read(options.baseline) if options.baseline else Counter()


def _subjects(options: argparse.Namespace) -> list[checking.Subject]:
    """The stacks of all paths; with several paths their findings are told as seen from here."""
    several = len(options.paths) > 1
    return [
        checking.Subject(path, place, path.as_posix() if several else '', reason)
        for path in options.paths
        for place, reason in _places(options, path)
    ]


def _places(options: argparse.Namespace, path: Path) -> list[tuple[discover.Place, str]]:
    """The chosen stacks, with the reason where only those that changed are."""
    places = discover.choose(discover.find(path), options.stack)
    if not options.changed_since:
        return [(place, '') for place in places]
    reasons = changes.changed(path, options.changed_since, places)
    return [(place, reasons[place.path]) for place in places if place.path in reasons]


def _facts(options: argparse.Namespace) -> Facts:
    return Facts(today=options.date or SystemClock().now().date())


def _outside(options: argparse.Namespace, source: ChartSource) -> Outside:
    """A directory of charts stands for the network, so with one no repository is asked."""
    directory = options.indexes or (Path(os.environ['SCS_CI_INDEXES']) if os.environ.get('SCS_CI_INDEXES') else None)
    if directory and not directory.is_dir():
        raise UsageProblem('cannot read', f'indexes {directory}', 'no such directory', 'correct --indexes')
    offline = options.offline or source.mirror is not None
    indexes = IndexSource(source.cache.parent / 'indexes', directory, offline)
    return Outside(indexes, options.against, SystemClock().now())


def _date(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is no date like 2026-05-04') from None
