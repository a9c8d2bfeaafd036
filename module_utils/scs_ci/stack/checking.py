"""Checking many stacks: each is read, rendered and judged by itself, on all cores."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.errors import InfrastructureProblem, Problem, ProductProblem
from ..core.records import Finding
from . import asking, discover
from .charts import ChartSource
from .check import Excepted, Judgement, all_rules, demand_complete, judge
from .helm import Helm, helm
from .model import CLASS_DIR, Facts, Stack
from .output import Header
from .outside import Outside, rendered_before, with_outside
from .render import rendering
from .rule import Rule


@dataclass(frozen=True)
class Subject:
    """A stack to be checked. prefix: put before paths in the result, '' when there is one checkout.

    reason: why it is checked, '' where all are.
    """

    checkout: Path
    place: discover.Place
    prefix: str = ''
    reason: str = ''


@dataclass(frozen=True)
class Means:
    """What every check of a run needs. rules: ids of the chosen ones, for rules themselves cannot go to a process.

    keep: directory for answers of programs, None keeps none.
    """

    tools: Path | None
    source: ChartSource
    rules: frozenset[str]
    facts: Facts
    outside: Outside
    keep: Path | None = None


@dataclass(frozen=True)
class Checked:
    """A stack and what is said about it. incomplete: why a part could not be looked at, which is no defect of it."""

    header: Header
    judgement: Judgement
    incomplete: str = ''


def check_all(subjects: Sequence[Subject], means: Means, jobs: int) -> tuple[Checked, ...]:
    """Check them in up to `jobs` processes; results in the order of the subjects."""
    if jobs <= 1 or len(subjects) <= 1:
        return tuple(check_some(subjects, means))
    all_rules()  # now, or each process would load them
    # loaded only where there is something to share, for they take long to load
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # the largest first, so that none is left alone at the end while all others are done
    order = sorted(range(len(subjects)), key=lambda i: _size(subjects[i]), reverse=True)
    # fork: the modules that are loaded already need not be loaded again in each process; there are no threads here
    with ProcessPoolExecutor(min(jobs, len(order)), mp_context=multiprocessing.get_context('fork')) as pool:
        checked = pool.map(check_some, [[subjects[i]] for i in order], [means] * len(order))
        done = {i: one for i, (one,) in zip(order, checked, strict=True)}
    return tuple(done[i] for i in range(len(subjects)))


def _size(subject: Subject) -> int:
    """Bytes of the templates of the class, which take the most of the time of a check."""
    try:
        with os.scandir(subject.checkout / subject.place.path / CLASS_DIR / 'templates') as entries:
            return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
    except OSError:
        return 0


def check_some(subjects: Sequence[Subject], means: Means) -> list[Checked]:
    """Check one after the other with one home of helm."""
    with helm(means.tools) as program:
        found = []
        for subject in subjects:
            try:
                stack = looked_at(discover.load(subject.checkout, subject.place), subject.checkout, program, means)
            except ProductProblem as problem:
                stack = discover.unreadable(subject.place, problem.reason)
            judged = judge(stack, chosen(means))
            found.append(_prefixed(subject, Checked(Header.of(stack, subject.reason), judged, _incomplete(stack))))
        return found


def looked_at(stack: Stack, checkout: Path, helm: Helm, means: Means) -> Stack:
    """The stack with all that rules must know: the world outside, what its charts print, what is said of that."""
    # The class is small and takes long to evaluate, addons are large: what is said of it does not wait for them.
    of_class, of_addons = replace(stack, addon_charts=()), replace(stack, class_chart=None)
    with (
        rendering(of_class, helm, means.source, means.keep) as class_rendered,
        rendering(of_addons, helm, means.source, means.keep) as addons_rendered,
    ):
        of_class = asking.begin(class_rendered(of_class), helm.program.parent, means.keep)
        # what else takes its time, while others are at work
        known = with_outside(replace(stack, facts=means.facts), checkout, means.outside)
        chosen(means)
        of_addons = asking.begin(addons_rendered(of_addons), helm.program.parent, means.keep)
    complete = replace(
        known,
        renderings=of_class.renderings + of_addons.renderings,
        variants=of_class.variants + of_addons.variants,
        granted=of_addons.granted,
        asked=asking.together(of_class, of_addons),
    )
    return replace(complete, before=rendered_before(complete, helm, means.source))


def chosen(means: Means) -> list[Rule]:
    """The rules that were asked for, loaded at the first call."""
    return [rule for rule in all_rules() if rule.id in means.rules]


def _incomplete(stack: Stack) -> str:
    try:
        demand_complete(stack)
    except Problem as problem:
        return problem.reason
    return ''


def demand_all_complete(checked: Iterable[Checked]) -> None:
    """InfrastructureProblem when a stack could not be looked at wholly: without errors that would look like green."""
    for one in checked:
        if one.incomplete:
            advice = 'check the network, give a complete directory of charts with --charts, or check --offline'
            raise InfrastructureProblem('cannot check', one.header.path, one.incomplete, advice)


def _prefixed(subject: Subject, checked: Checked) -> Checked:
    """Paths as they are seen from where the command was called, when there are several checkouts."""
    if not subject.prefix:
        return checked
    judgement = Judgement(
        tuple(_moved(f, subject.prefix) for f in checked.judgement.findings),
        tuple(
            Excepted(_moved(e.finding, subject.prefix), e.reason, _below(subject.prefix, e.file), e.line)
            for e in checked.judgement.excepted
        ),
    )
    header = replace(checked.header, path=_below(subject.prefix, checked.header.path))
    return Checked(header, judgement, checked.incomplete)


def _moved(finding: Finding, prefix: str) -> Finding:
    return replace(finding, file=_below(prefix, finding.file), stack=_below(prefix, finding.stack))


def _below(prefix: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(prefix, path))
