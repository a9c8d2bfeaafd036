"""Asking Cluster API's and Kubernetes' own code about a stack: one run of classcheck, and bash for scripts."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.errors import Problem, TimeoutProblem
from ..core.process import run
from . import addons, answers, embedded, objects
from .answers import CLASS, INVALID, Answers, Failure, parse_answer
from .clusterclass import cluster_classes
from .model import Stack
from .paths import text_of
from .points import points

PROGRAM = 'classcheck'
# The largest class of main with all its points takes seconds; a template that loops must not hold the run.
SECONDS = 120
# bash -n reads 1 MB in milliseconds.
SHELL_SECONDS = 10
# Components of a management plane whose objects a class chart may hold; see [manifests] in tools/programs.toml.
COMPONENTS = ('capi', 'cabpk', 'kcp', 'capo', 'orc', 'cso')


def asked(stack: Stack, programs: Path) -> Stack:
    """The stack with answers about its renderings. programs: directory of classcheck, beside manifests-src."""
    program, definitions = programs / PROGRAM, programs.parent / 'manifests-src'
    if not os.access(program, os.X_OK) or not definitions.is_dir():
        reason = f"no {PROGRAM} in {programs} or no definitions beside it: run 'make tools' or name that directory"
        return replace(stack, answers=Answers(unavailable=reason))
    question = json.dumps(questions(stack, definitions), default=str)  # YAML has dates, JSON has not
    try:
        done = run([program], timeout=SECONDS, stdin=question)
    except TimeoutProblem:
        reason = f'{PROGRAM} did not end within {SECONDS} s: does a template of a patch loop?'
        failure = Failure('any', CLASS, '', '', answers.Problem(INVALID, '', reason))
        return replace(stack, answers=Answers(failures=(failure,)))
    if done.code:
        return replace(stack, answers=Answers(unavailable=f'{PROGRAM} failed: {done.last_words()}'))
    said = [shell(script.form, script.node.content) for script in embedded.scripts(stack)]
    return replace(stack, answers=parse_answer(json.loads(done.stdout), said))


def questions(stack: Stack, definitions: Path) -> dict[str, Any]:
    """The request; its lists have the order of the functions that rules read the answers with."""
    classes = cluster_classes(stack)
    version = stack.version
    return {
        'definitions': [str(definitions / name) for name in COMPONENTS if (definitions / name).is_dir()],
        'kubernetes': str(version) if version else '',
        'class': [text_of(found) for found in objects.class_objects(stack)],
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
