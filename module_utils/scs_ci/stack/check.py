"""Running the rules over a stack."""

from __future__ import annotations

import importlib
import pkgutil
import posixpath
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..core.errors import InfrastructureProblem
from ..core.limit import OverLimit, processor_limit
from ..core.records import Finding, Severity
from . import exceptions, rules
from .model import Stack
from .rule import CRASHED, Hit, Rule

ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTICE: 2}
# These look at exceptions, which are no subject of exceptions; the second one needs what the other rules found.
READABLE, UNUSED = 'readable', 'exception-used'
EXCEPTION_RULES = ('exception-reason', UNUSED)
# All rules together take two seconds for the largest real stack.
RULE_SECONDS = 60


@dataclass(frozen=True)
class Excepted:
    """A finding that the stack's author takes back; file, line: of the exception."""

    finding: Finding
    reason: str
    file: str
    line: int


@dataclass(frozen=True)
class Judgement:
    """What the rules say about a stack: findings, errors first, then by place; and what exceptions took back."""

    findings: tuple[Finding, ...]
    excepted: tuple[Excepted, ...] = ()


def rule_ids() -> tuple[str, ...]:
    """The id of every rule, sorted, without loading them: each module in `rules/` is one and has its name."""
    return tuple(sorted(m.name.replace('_', '-') for m in pkgutil.iter_modules(rules.__path__)))


@lru_cache(maxsize=1)
def all_rules() -> tuple[Rule, ...]:
    """Every rule, sorted by id."""
    return tuple(importlib.import_module(f'{rules.__name__}.{name.replace("-", "_")}').RULE for name in rule_ids())


def run_rules(stack: Stack, chosen: Sequence[Rule] | None = None) -> tuple[Finding, ...]:
    """The findings alone, see `judge`."""
    return judge(stack, chosen).findings


def judge(stack: Stack, chosen: Sequence[Rule] | None = None) -> Judgement:
    """Findings of the chosen rules, all by default. A rule that crashes is an error finding of its own.

    A stack that could not be read has this one finding, for what others would say is no news.
    """
    selected = all_rules() if chosen is None else tuple(chosen)
    if stack.unreadable:
        selected = tuple(rule for rule in all_rules() if rule.id == READABLE)
    kept, used = exceptions.apply(hits(stack, selected), _exceptions(stack, selected))
    unused = next((rule for rule in selected if rule.id == UNUSED), None)
    if unused is not None and len(selected) > 1:
        ran = {rule.id for rule in selected} - set(EXCEPTION_RULES)
        kept += [(unused.id, hit) for hit in exceptions.unused(exceptions.exempt(stack), used, ran)]
    by_id = {rule.id: rule for rule in selected}
    found = {_finding(by_id[name], stack, hit) for name, hit in kept}
    return Judgement(
        tuple(sorted(found, key=lambda f: (ORDER[f.severity], f.file, f.line, f.rule, f.message))),
        tuple(_excepted(by_id[u.exception.rule], stack, u) for u in used),
    )


def hits(stack: Stack, chosen: Sequence[Rule]) -> Iterator[tuple[str, Hit]]:
    """What the rules say, with the id of the rule, before exceptions."""
    for rule in sorted(chosen, key=lambda rule: rule.asks):
        # without others there is nothing to compare with, then it looks itself
        if rule.id != UNUSED or len(chosen) == 1:
            yield from ((rule.id, hit) for hit in _run(rule, stack))


def _exceptions(stack: Stack, selected: Sequence[Rule]) -> tuple[exceptions.Exempt, ...]:
    ran = {rule.id for rule in selected} - {READABLE, *EXCEPTION_RULES}
    return tuple(e for e in exceptions.exempt(stack) if e.rule in ran)


def _run(rule: Rule, stack: Stack) -> Iterable[Hit]:
    try:
        with processor_limit(RULE_SECONDS):
            return list(rule.check(stack))
    except OverLimit as error:
        message = f'{CRASHED}{error}: is a file too large for it? Else report it'
        return [Hit(stack.kubernetes.file, 1, message, severity=Severity.ERROR)]
    except Exception as error:  # noqa: BLE001 - a crash must become a finding, never silence
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f'{Path(place.filename).name}:{place.lineno}'
        message = f'{CRASHED}{type(error).__name__}: {error} ({where}); report it'
        return [Hit(stack.kubernetes.file, 1, message, severity=Severity.ERROR)]


def _finding(rule: Rule, stack: Stack, hit: Hit) -> Finding:
    return Finding(
        rule=rule.id,
        severity=hit.severity or rule.severity,
        file=_path(stack, hit.file),
        line=max(hit.line, 1),
        message=hit.message,
        stack=stack.path,
        column=hit.column,
        end_line=hit.end_line,
        seen=hit.seen,
        wanted=hit.wanted,
        fix=hit.fix,
    )


def _excepted(rule: Rule, stack: Stack, used: exceptions.Used) -> Excepted:
    finding, exception = _finding(rule, stack, used.hit), used.exception
    return Excepted(finding, exception.reason, _path(stack, exception.file), exception.line)


def _path(stack: Stack, file: str) -> str:
    return posixpath.normpath(posixpath.join(stack.path, file))


def demand_complete(stack: Stack) -> None:
    """InfrastructureProblem when a chart could not be rendered for reasons outside of the stack: no verdict then.

    Who asked for a check offline gets a finding of the rule `rendered` instead.
    """
    for rendering in stack.renderings:
        if rendering.unavailable and not rendering.offline:
            raise InfrastructureProblem(
                'cannot render',
                f'{stack.path}/{rendering.chart}',
                rendering.unavailable,
                'check the network, or give a complete directory of charts with --charts',
            )
