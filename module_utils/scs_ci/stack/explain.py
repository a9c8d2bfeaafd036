"""A rule explained: why it is there, and a pair of examples with the lines at which it strikes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from difflib import unified_diff

from .rule import BASE, Example, Rule

MARK = '>'
WIDTH = 100


def table(rules: Sequence[Rule]) -> str:
    """One line per rule: id, severity, title."""
    wide = max(len(rule.id) for rule in rules)
    return '\n'.join(f'{rule.id:{wide}}  {rule.severity:7}  {rule.title}' for rule in rules)


def explain(rule: Rule) -> str:
    """Title, motivation, the first bad example and a good one, each as what differs from a sound stack."""
    bad = rule.bad[0]
    good = next((example for example in rule.good if example != Example()), rule.good[0])
    parts = [
        f'{rule.id} ({rule.severity}): {rule.title}',
        '',
        textwrap.fill(rule.motivation, WIDTH),
        '',
        'Bad:',
        *_shown(bad, bad),
        '',
        'Good:',
        *_shown(good, bad),
    ]
    return '\n'.join(parts)


def _shown(example: Example, other: Example) -> Iterator[str]:
    """The files that the example, or the bad one that it stands beside, changes; `>` marks where the rule strikes."""
    struck = set(example.hits)
    names = dict.fromkeys([*(file for e in (example, other) for file, _ in e.hits), *example.files, *other.files])
    for name in names:
        text = example.files.get(name, BASE.get(name))
        if text is None:
            yield f'  {name} is missing' if (name, 1) not in struck else f'{MARK} {name} is missing'
            continue
        yield f'  {name}:'
        for number, line in enumerate(text.rstrip('\n').split('\n'), start=1):
            yield f'{MARK if (name, number) in struck else " "}   {line}'
    yield from _context(example)


def _context(example: Example) -> Iterator[str]:
    for path, inner in example.packed.items():
        yield f'  {path} holds: {", ".join(sorted(inner))}'
    for chart, text in example.rendered.items():
        yield f'  {chart} renders:'
        yield from (f'    {line}' for line in text.rstrip('\n').split('\n'))
    for (point, chart), text in example.variants.items():
        yield f'  {chart} renders with {point}:'
        yield from (f'    {line}' for line in text.rstrip('\n').split('\n'))
    for chart, error in example.failed.items():
        yield f'  {chart} does not render: {error}'
    for (point, chart), error in example.variants_failed.items():
        yield f'  {chart} does not render with {point}: {error}'
    for chart, why in example.unavailable.items():
        yield f'  {chart} cannot be rendered: {why}'
    if example.unreadable:
        yield f'  {example.unreadable}'
    if example.before is not None:
        yield '  compared with a release that differs by:'
        yield from (f'    {line}' for line in _difference(example.before, example))


def _difference(before: Example, after: Example) -> Iterator[str]:
    for name in sorted({*before.files, *after.files}):
        old, new = (e.files.get(name, BASE.get(name)) or '' for e in (before, after))
        yield from unified_diff(old.splitlines(), new.splitlines(), name, name, lineterm='', n=1)
