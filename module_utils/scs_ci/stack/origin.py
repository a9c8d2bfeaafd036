"""From a line that helm printed back to the template line that printed it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from .model import Chart, Rendered, Stack

# Texts inside of an action may hold braces of another template, as those of ClusterClass patches do.
ACTION = re.compile(r'\{\{(?:`[^`]*`|"(?:\\.|[^"\\])*"|[^`"])*?\}\}')

# What a person writes on a line; the time to take a line apart grows with the square of its length.
LONGEST_LINE = 2_000
# Each printed line is compared with each line of the template, so both are bounded; the longest of main has 844.
MOST_LINES = 5_000
MOST_BEFORE = 100


@dataclass(frozen=True)
class Origin:
    """A place in the source. own: False when the template is inside a packed chart, and the place names that chart."""

    file: str
    line: int
    own: bool


def origin(stack: Stack, chart: Chart, part: Rendered, line: int) -> Origin:
    """The source of a line (from 1) of a rendered template: as the renderer traced it, else the likeliest."""
    if 1 <= line <= len(part.lines) and part.lines[line - 1][0]:
        template, number = part.lines[line - 1]
        if f'{chart.path}/{template}' in stack.files:
            return Origin(f'{chart.path}/{template}', number, True)
    file = f'{chart.path}/{part.template}'
    if file in stack.files:
        printed = part.text.split('\n')
        return Origin(file, template_line(stack.text(file), printed, line), True)
    name = part.template.split('/')[1] if part.template.startswith('charts/') else ''
    dependency = next((d for d in chart.dependencies if name in (d.alias, d.name)), None)
    return Origin(chart.meta.path, dependency.line if dependency else 1, False)


def template_line(template: str, printed: list[str], line: int) -> int:
    """The template line (from 1) that most likely printed `printed[line - 1]`.

    Lines are compared with their actions taken as wildcards. Of several candidates the one whose relative place
    is nearest is taken, counted from the last line before that can only come from one place.
    """
    sources, patterns = _patterns(template)
    target = printed[min(line, len(printed)) - 1] if printed else ''
    start, anchor = _anchor(patterns, printed, line - 1)
    fitting = [i for i, pattern in enumerate(patterns) if pattern and pattern.fullmatch(target.strip())]
    # a loop prints lines that stand before its last line again
    candidates = [i for i in fitting if i >= start] or fitting
    if not candidates:
        return start + 1
    expected = start + (line - 1 - anchor)
    # an exact text beats a wildcard line, then the nearest
    best = min(
        candidates, key=lambda i: ('{{' in sources[i] and sources[i].strip() != target.strip(), abs(i - expected))
    )
    return best + 1


def _anchor(patterns: Sequence[re.Pattern[str] | None], printed: list[str], before: int) -> tuple[int, int]:
    """(template index, printed index) of the last printed line before that matches exactly one template line."""
    end = min(before, len(printed))
    for index in range(end - 1, max(end - MOST_BEFORE, 0) - 1, -1):
        text = printed[index].strip()
        if not text:
            continue
        hits = [i for i, pattern in enumerate(patterns) if pattern and pattern.fullmatch(text)]
        if len(hits) == 1:
            return hits[0], index
    return 0, 0


@lru_cache(maxsize=32)
def _patterns(template: str) -> tuple[tuple[str, ...], tuple[re.Pattern[str] | None, ...]]:
    """The lines of a template with what each can print; of one that nobody wrote by hand only the first lines."""
    sources = tuple(template.split('\n')[:MOST_LINES])
    return sources, tuple(_pattern(source) for source in sources)


def _pattern(source: str) -> re.Pattern[str] | None:
    """What a template line can print, or None when it prints nothing of its own, or nobody wrote it by hand."""
    text = source.strip()
    if len(text) > LONGEST_LINE:
        return None
    literal = ACTION.sub('', text).strip()
    if not literal:
        return None
    return re.compile('.*?'.join(re.escape(part) for part in ACTION.split(text)))
