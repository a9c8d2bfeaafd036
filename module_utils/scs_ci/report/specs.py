"""Conformance specs in the report: what the record of the stage tells of them, and its JUnit file."""

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
    """From the facts of stage conformance, a line per spec that needs a look: failures, flaky ones, unused waivers."""
    failures = [f for f in facts.get('failures') or () if isinstance(f, dict)]
    lines = [f'{_how(f)}: {f.get("name", "")}{_why(f)}' for f in failures]
    lines += [f'flaky: {name}' for name in facts.get('flaky') or ()]
    return (*lines, *(f'waiver not needed: {regex}' for regex in facts.get('unused_waivers') or ()))


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
