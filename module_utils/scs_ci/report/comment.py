"""comment.md: the result for the people who read a pull request."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.outcome import Outcome
from .result import Result, StageResult, VersionResult, stage_columns

MARKS = {Outcome.PASSED: '✅', Outcome.FAILED: '❌', Outcome.ERROR: '⚠️', Outcome.SKIPPED: '➖'}
LONGEST_REASON = 400  # characters: one readable line in a comment; the page has the whole text
MOST_NOTES = 5  # specs of one stage: who wants all of them opens the page
MOST_REASONS = 40  # a comment on GitHub holds 65,536 characters


def comment(result: Result) -> str:
    """Markdown: one table version x stage, a line for whatever is not green, what was simulated, how to repeat it."""
    lines = [*_reasons(result), *_notes(result)]
    parts = [headline(result), table(result.versions), _bullets(lines), _simulated(result), _repeat(result)]
    return '\n\n'.join(part for part in parts if part) + '\n'


def headline(result: Result) -> str:
    count = len(result.versions)
    what = 'one version' if count == 1 else f'{count} versions' if count else 'no version was tested'
    return f'**Cluster stacks: {MARKS[result.outcome]} {result.outcome}** ({what})'


def table(versions: Iterable[VersionResult]) -> str:
    """One row per version, one column per stage; empty without versions."""
    rows = list(versions)
    if not rows:
        return ''
    columns = stage_columns(rows)
    head = ['stack', 'Kubernetes', 'release', *columns]
    lines = ['| ' + ' | '.join(head) + ' |', '|' + '---|' * len(head)]
    for version in rows:
        stages = {stage.stage: stage for stage in version.stages}
        cells = [code(version.stack), code(version.kubernetes), code(version.release)]
        lines.append('| ' + ' | '.join(cells + [_cell(stages.get(name)) for name in columns]) + ' |')
    return '\n'.join(lines)


def _cell(stage: StageResult | None) -> str:
    if stage is None:
        return ''
    seconds = f' {stage.seconds:.1f} s' if stage.started and stage.outcome is not Outcome.SKIPPED else ''
    return f'{MARKS[stage.outcome]} {stage.outcome}{seconds}'


def code(text: str) -> str:
    """Text that Markdown shows as it is, also within a table: no markup, no mention of a user, no line break."""
    line = ' '.join(text.split()).replace('|', '\\|')
    if not line:
        return ''
    fence = '`'
    while fence in line:
        fence += '`'
    space = ' ' if line.startswith('`') or line.endswith('`') else ''
    return f'{fence}{space}{line}{space}{fence}'


def short(text: str, longest: int = LONGEST_REASON) -> str:
    line = ' '.join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + '…'


def _reasons(result: Result) -> list[str]:
    """A line for every stage that is not green, and for every leftover."""
    lines = [_reason(version, stage) for version, stage in result.every_stage if not stage.green]
    lines += [f'**left in the cloud**: {code(f"{r.kind} {r.name or r.id} {r.reason}")}' for r in result.leftovers]
    if not result.versions and result.outcome is Outcome.ERROR and not lines:
        lines.append('**no version was tested**')
    more = len(lines) - MOST_REASONS
    return lines if more <= 0 else [*lines[:MOST_REASONS], f'and {more} more, see the page']


def _reason(version: VersionResult | None, stage: StageResult) -> str:
    where = f' of {version.stack} {version.kubernetes}' if version else ''
    why = f': {code(short(stage.reason))}' if stage.reason else ''
    return f'{MARKS[stage.outcome]} **{stage.stage}**{where} {stage.outcome}{why}'


def _notes(result: Result) -> list[str]:
    """Specs and upgrades that need a look, also of green stages: the first few per stage."""
    lines = []
    for version, stage in result.every_stage:
        if stage.stage == 'provision' and stage.green:
            continue  # when its nodes came is for the page: nobody has to do anything about it
        where = f' of {version.stack} {version.kubernetes}' if version else ''
        lines += [f'{stage.stage}{where}: {code(short(note))}' for note in stage.notes[:MOST_NOTES]]
        more = len(stage.notes) - MOST_NOTES
        lines += [f'{stage.stage}{where}: and {more} more, see the page'] if more > 0 else []
    return lines[:MOST_REASONS]


def _bullets(lines: list[str]) -> str:
    return '\n'.join(f'- {line}' for line in lines)


def _simulated(result: Result) -> str:
    return f'Simulated, not real: {", ".join(result.simulated)}.' if result.simulated else ''


def _repeat(result: Result) -> str:
    return f'Repeat it: {code(result.repeat)}' if result.repeat else ''
