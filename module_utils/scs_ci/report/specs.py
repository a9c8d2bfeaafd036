"""What records tell beyond their outcome: test nodes, conformance specs with their JUnit file, and upgrades."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import ToolProblem

# Kinds of a case in JUnit; everything else passed.
KINDS = ('failure', 'error', 'skipped')


@dataclass(frozen=True)
class Case:
    """One spec. kind: one of KINDS, empty when it passed."""

    name: str
    seconds: float
    kind: str = ''
    message: str = ''


def notes(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """From the facts of a stage, lines that need a look: of conformance failures, flaky specs and unused waivers, of an
    upgrade what it was and what a workload noticed of it, of deploy and upgrade what could not run for want of images,
    of provision when each node came how far, and why one is of no use.
    """
    failures = [f for f in facts.get('failures') or () if isinstance(f, dict)]
    lines = [f'{_how(f)}: {f.get("name", "")}{_why(f)}' for f in failures]
    lines += [f'flaky: {name}' for name in facts.get('flaky') or ()]
    lines += _of_upgrade(facts)
    lines += _of_unproven(facts)
    lines += _of_nodes(facts)
    return (*lines, *(f'waiver not needed: {regex}' for regex in facts.get('unused_waivers') or ()))


def _of_upgrade(facts: Mapping[str, Any]) -> list[str]:
    before, after = facts.get('from'), facts.get('to')
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return []
    told = ' '.join(f'{end.get("class", "")} {end.get("kubernetes", "")} ->' for end in (before, after))
    lines = [f'{told.removesuffix(" ->")} ({after.get("how", "")})']
    probes = [p for p in facts.get('probes') or () if isinstance(p, dict)]
    return lines + [f'{p.get("name")}: {p.get("lost")} of {p.get("sent")} requests lost{_gap(p)}' for p in probes]


def _of_nodes(facts: Mapping[str, Any]) -> list[str]:
    found = [n for n in facts.get('nodes') or () if isinstance(n, dict) and isinstance(n.get('seconds'), dict)]
    lines = [
        f'{n.get("name")}: {n.get("flavor")} in {n.get("zone") or "any zone"}, {_phases(n["seconds"])}' for n in found
    ]
    troubles = facts.get('troubles')
    return lines + [f'{name}: {why}' for name, why in (troubles.items() if isinstance(troubles, dict) else ())]


def _phases(seconds: Mapping[str, Any]) -> str:
    return ', '.join(f'{phase} after {at} s' for phase, at in seconds.items())


def _of_unproven(facts: Mapping[str, Any]) -> list[str]:
    found = [one for one in facts.get('unproven') or () if isinstance(one, dict)]
    return [f'not proven: {one.get("workload")} waits for {", ".join(one.get("images") or ())}' for one in found]


def _gap(probe: Mapping[str, Any]) -> str:
    return f', longest gap {probe.get("longest_gap")} s' if probe.get('lost') else ''


def _how(failure: Mapping[str, Any]) -> str:
    return f'{failure.get("state", "failed")}' + (f', allowed ({failure["reason"]})' if failure.get('reason') else '')


def _why(failure: Mapping[str, Any]) -> str:
    return f': {failure["message"]}' if failure.get('message') else ''


def cases(run: Path, facts: Mapping[str, Any]) -> tuple[Case, ...]:
    """The specs of the JUnit file that the stage names, relative to the run; none when it names none. ToolProblem for a
    file that is gone or damaged: specs must not vanish silently."""
    name = facts.get('junit')
    if not name:
        return ()
    path = run / str(name)
    try:
        root = ElementTree.fromstring(path.read_bytes())
        return tuple(_case(node) for node in root.iter('testcase'))
    except (OSError, ElementTree.ParseError, ValueError) as error:
        answer = getattr(error, 'strerror', None) or str(error)
        raise ToolProblem('cannot read', f'JUnit file {name}', answer, 'repeat stage conformance') from error


def _case(node: ElementTree.Element) -> Case:
    found = next((child for child in node if child.tag in KINDS), None)
    kind, message = (found.tag, found.get('message', '')) if found is not None else ('', '')
    return Case(node.get('name', ''), float(node.get('time', '0')), kind, message)
