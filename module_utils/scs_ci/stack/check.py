"""Running the rules over a stack."""

from __future__ import annotations

import importlib
import pkgutil
import posixpath
import traceback
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from ..core.errors import InfrastructureProblem
from ..core.records import Finding, Severity
from . import rules
from .model import Stack
from .rule import Hit, Rule

ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTICE: 2}


@lru_cache(maxsize=1)
def all_rules() -> tuple[Rule, ...]:
    """Every rule, sorted by id: each module in `rules/` is one."""
    modules = (importlib.import_module(f'{rules.__name__}.{m.name}') for m in pkgutil.iter_modules(rules.__path__))
    return tuple(sorted((module.RULE for module in modules), key=lambda rule: rule.id))


def run_rules(stack: Stack, chosen: Sequence[Rule] | None = None) -> tuple[Finding, ...]:
    """Findings of all rules, errors first, then by place. A rule that crashes is an error finding of its own."""
    found = [f for rule in (all_rules() if chosen is None else chosen) for f in _run(rule, stack)]
    return tuple(sorted(set(found), key=lambda f: (ORDER[f.severity], f.file, f.line, f.rule, f.message)))


def _run(rule: Rule, stack: Stack) -> Iterable[Finding]:
    try:
        return [_finding(rule, stack, hit) for hit in rule.check(stack)]
    except Exception as error:  # noqa: BLE001 - a crash must become a finding, never silence
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f'{Path(place.filename).name}:{place.lineno}'
        message = f'the rule crashed: {type(error).__name__}: {error} ({where}); report it'
        return [_finding(rule, stack, Hit(stack.kubernetes.file, 1, message, severity=Severity.ERROR))]


def _finding(rule: Rule, stack: Stack, hit: Hit) -> Finding:
    return Finding(
        rule=rule.id,
        severity=hit.severity or rule.severity,
        file=posixpath.normpath(posixpath.join(stack.path, hit.file)),
        line=max(hit.line, 1),
        message=hit.message,
        stack=stack.path,
        column=hit.column,
        seen=hit.seen,
        wanted=hit.wanted,
        fix=hit.fix,
    )


def demand_complete(stack: Stack) -> None:
    """InfrastructureProblem when a chart could not be rendered for reasons outside of the stack: no verdict then."""
    for rendering in stack.renderings:
        if rendering.unavailable:
            raise InfrastructureProblem(
                'cannot render',
                f'{stack.path}/{rendering.chart}',
                rendering.unavailable,
                'check the network, or give a complete directory of charts with --charts',
            )
