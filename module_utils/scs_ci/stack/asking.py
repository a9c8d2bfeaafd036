"""Asking Cluster API's and Kubernetes' own code about a stack: one run of classcheck, and bash for scripts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ..core import bounded
from ..core.errors import Problem, TimeoutProblem
from ..core.process import run
from . import addons, answers, batch, embedded, keeping, objects
from .answers import CLASS, INVALID, Answers, Failure, parse_answer
from .clusterclass import cluster_classes
from .model import Stack
from .objects import Object, text_of
from .points import points

PROGRAM = 'classcheck'
# The largest class of main with all its points takes seconds; a template that loops must not hold the run.
LIMITS = replace(batch.LIMITS, seconds=120)
# bash -n reads 1 MB in milliseconds.
SHELL_SECONDS = 10
# What may be asked about; without any of it there is nothing to say.
SUBJECTS = ('class', 'addons', 'conditions')
# Components of a management plane whose objects a class chart may hold; see [manifests] in tools/programs.toml.
COMPONENTS = ('capi', 'cabpk', 'kcp', 'capo', 'orc', 'cso')


def begin(stack: Stack, programs: Path, keep: Path | None = None) -> Stack:
    """The stack with answers about its renderings, which come while rules that need none are at work.

    programs: directory of classcheck, beside manifests-src; keep: directory for answers, None keeps none.
    """
    program, definitions = programs / PROGRAM, programs.parent / 'manifests-src'
    if not os.access(program, os.X_OK) or not definitions.is_dir():
        reason = f"no {PROGRAM} in {programs} or no definitions beside it: run 'make tools' or name that directory"
        return replace(stack, asked=lambda: Answers(unavailable=reason))
    asked = questions(stack, definitions)
    if not any(asked[part] for part in SUBJECTS):
        return stack
    question = json.dumps(asked, default=str)  # YAML has dates, JSON has not
    before = keeping.kept(keep, question, [program, *map(Path, asked['definitions'])])
    running = before.asked(lambda: bounded.begin([program], LIMITS, stdin=question, env=batch.environment()))

    @cache
    def answers() -> Answers:
        return _answers(stack, running)

    return replace(stack, asked=answers)


def together(of_class: Stack, of_addons: Stack) -> Callable[[], Answers]:
    """What is said of a stack that was asked about in two parts: one without addons, one without class."""

    @cache
    def answers() -> Answers:
        one, two = of_class.answers, of_addons.answers
        return replace(
            one,
            addon_objects=two.addon_objects,
            conditions=two.conditions,
            failures=one.failures + two.failures,
            unavailable=one.unavailable or two.unavailable,
        )

    return answers


def _answers(stack: Stack, running: keeping.Child) -> Answers:
    said = [shell(script.form, script.node.content) for script in embedded.scripts(stack)]
    try:
        done = running.ended()
    except TimeoutProblem:
        return _given_up(f'did not end within {LIMITS.seconds:.0f} s')
    lacked = bounded.excess(done)
    if lacked:
        return _given_up(f'takes too much {lacked}')
    if done.code:
        return Answers(unavailable=f'{PROGRAM} failed: {done.last_words()}')
    return parse_answer(_sorted(stack, json.loads(done.stdout)), said)


def _given_up(what: str) -> Answers:
    problem = answers.Problem(INVALID, '', f'{PROGRAM} {what}: does a template of a patch loop?')
    return Answers(failures=(Failure('any', CLASS, '', '', problem),))


def _of_class(stack: Stack) -> tuple[list[Object], list[Object], list[Object]]:
    """(classes of other points, objects, templates of other points): the order in which they are asked about.

    For of several classes classcheck evaluates the last one, and of templates with one name it takes the first.
    """
    more = objects.variant_objects(stack)
    classes = [found for found in more if found.kind == 'ClusterClass']
    return classes, list(objects.class_objects(stack)), list(more[len(classes) :])


def _sorted(stack: Stack, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with what it says about objects of other points beside the others."""
    classes, own, _ = _of_class(stack)
    said = answer.get('class') or []
    first, last = len(classes), len(classes) + len(own)
    return {**answer, 'class': said[first:last], 'variants': [*said[:first], *said[last:]]}


def questions(stack: Stack, definitions: Path) -> dict[str, Any]:
    """The request; its lists have the order of the functions that rules read the answers with."""
    classes = cluster_classes(stack)
    version = stack.version
    return {
        'definitions': [str(definitions / name) for name in COMPONENTS if (definitions / name).is_dir()],
        'kubernetes': str(version) if version else '',
        'class': [text_of(found) for part in _of_class(stack) for found in part],
        'points': [{'name': p.name, 'variables': p.values} for c in classes[:1] for p in points(c)],
        'addons': [text_of(found) for found in objects.addon_objects(stack)],
        'conditions': [{'keys': c.keys, 'expression': c.expression} for c in addons.conditions(stack)],
        'embedded': [found.node.content for found in embedded.configurations(stack)],
    }


def shell(form: str, text: str) -> str:
    """What bash says about the syntax of a script, empty when it is fine. Nothing of it is executed."""
    words = ['bash', '-n'] if form == 'bash' else ['bash', '--posix', '-n']
    try:
        done = run(words, timeout=SHELL_SECONDS, stdin=text)
    except Problem:
        return ''  # a machine without bash has no opinion
    return done.stderr.strip().replace('bash: ', '') if done.code else ''
