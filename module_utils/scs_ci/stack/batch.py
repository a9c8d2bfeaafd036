"""All charts of a stack at all points of the matrix, rendered in one process by `chartrender`, with helm's engine.

Why not helm itself: its start costs more than a rendering, and it cannot say which template line printed a line. That
the results are helm's is what the tests compare.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..core.bounded import MEMORY, Limits, Running, begin, excess
from ..core.errors import TimeoutProblem, ToolProblem
from . import helm as programs
from . import keeping
from .archive import Archive
from .helm import Output, failed, split
from .model import Rendered

PROGRAM = 'chartrender'
# The largest chart of a real stack takes 200 MiB; the machine runs several checks at a time.
MOST_MIB = 768
# Points of one chart follow each other; a chart whose point is late is given up, so this is reached by none that works.
ALL_SECONDS = 300
# What a template takes at once, without a moment to look at it, and what it prints: real stacks print some MB. With the
# program itself a process has less than 1 GiB.
LIMITS = Limits(ALL_SECONDS, memory=768 << 20, output=64 << 20)
# How the program says that all charts together take too much memory; those that are not done then get this error.
GIVEN_UP = re.compile(r'rendering takes more than \d+ MiB: ')
# How it ends what it says of a chart that was late or took too much, both of which depend on the machine.
GUESS = 'does a template loop?'
OVERWRITE_LINE = re.compile(r'overwrite:(\d+)|line (\d+)')


@dataclass(frozen=True)
class Prepared:
    """A chart ready to be rendered. content: its files below its directory; overwrite: the template of its values."""

    path: str
    content: Mapping[str, bytes] = field(repr=False)
    release: str
    namespace: str
    kubernetes: str = ''
    crds: bool = False
    overwrite: str = ''
    fetched: tuple[Archive, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Setting:
    """What a chart is rendered with at a point: values over those of overwrite.yaml, and the objects of the cluster."""

    values: str = ''
    objects: Mapping[str, Any] = field(default_factory=dict, repr=False)
    marks: bool = False


@dataclass(frozen=True)
class Result:
    """A rendering, or the error and line of the template of the values. values: what that template gave."""

    output: Output
    values: str = ''
    overwrite_error: str = ''
    overwrite_line: int = 1


Charts = Sequence[tuple[Prepared, Sequence[Setting]]]


def program(helm: programs.Helm) -> Path | None:
    """The program beside helm; None where only helm is installed."""
    place = helm.program.parent / PROGRAM
    return place if place.is_file() else None


def render(place: Path, charts: Charts) -> list[list[Result]]:
    """Results for each chart, one per setting. ToolProblem when the program itself fails."""
    with rendering(place, charts) as results:
        return results()


@contextmanager
def rendering(place: Path, charts: Charts, keep: Path | None = None) -> Iterator[Callable[[], list[list[Result]]]]:
    """As `render`, while the caller does something else: what is given waits for the results.

    keep: directory for answers, None keeps none. What charts make by chance, such as keys, is then what it was.
    """
    if not charts:
        yield list
        return
    asked = [_asked(str(i), chart, settings) for i, (chart, settings) in enumerate(charts)]
    text = json.dumps({'charts': asked, 'seconds': programs.RENDER_SECONDS, 'mib': MOST_MIB})
    with ExitStack() as files:

        def start() -> Running:
            work = Path(files.enter_context(TemporaryDirectory(prefix='scs-ci-render-')))
            for i, (chart, _) in enumerate(charts):
                _write(work / str(i), chart.content)
            return begin([place], LIMITS, stdin=text, cwd=work, env=environment())

        running = keeping.kept(keep, text, [place], _content(charts)).asked(start, GUESS)
        yield lambda: _results(place, charts, running)


def _content(charts: Charts) -> Iterator[bytes]:
    """What makes two questions different that name the same directories."""
    for chart, _ in charts:
        for name, data in sorted(chart.content.items()):
            yield f'\n{name} {len(data)}\n'.encode()
            yield data
        yield b'\n'


def _results(place: Path, charts: Charts, running: keeping.Child) -> list[list[Result]]:
    try:
        done = running.ended()
    except TimeoutProblem:
        return _all_failed(charts, f'rendering all charts did not end within {ALL_SECONDS} s')
    lacked = excess(done)
    if lacked and len(charts) > 1:  # by themselves those that take little are rendered
        return [results for chart in charts for results in render(place, [chart])]
    if lacked:
        most = LIMITS.memory if lacked == MEMORY else LIMITS.output
        return _all_failed(charts, f'rendering takes more than {most >> 20} MiB of {lacked}: does a template loop?')
    if done.code:
        raise ToolProblem('cannot render with', f'program {place}', done.last_words(), "build it anew: 'make tools'")
    found = [[_result(one) for one in results] for results in json.loads(done.stdout)['charts']]
    return found if len(charts) == 1 else [_by_itself(place, *one) for one in zip(charts, found, strict=True)]


def _by_itself(place: Path, chart: tuple[Prepared, Sequence[Setting]], found: list[Result]) -> list[Result]:
    """What was found of a chart, or what is found of it alone: the program cannot tell whose the memory is."""
    given_up = any(GIVEN_UP.search(result.output.error) for result in found)
    return render(place, [chart])[0] if given_up else found


def _all_failed(charts: Charts, error: str) -> list[list[Result]]:
    return [[Result(Output(error=error))] * len(settings) for _, settings in charts]


def environment() -> dict[str, str]:
    """With the memory at which Go begins to collect garbage in earnest, well before it has none left."""
    return {**os.environ, 'GOMEMLIMIT': f'{MOST_MIB}MiB'}


def _asked(directory: str, chart: Prepared, settings: Sequence[Setting]) -> dict[str, Any]:
    return {
        'directory': directory,
        'release': chart.release,
        'namespace': chart.namespace,
        'kubernetes': chart.kubernetes,
        'crds': chart.crds,
        'overwrite': chart.overwrite,
        'points': [{'values': s.values, 'objects': s.objects, 'marks': s.marks} for s in settings],
    }


def _write(directory: Path, content: Mapping[str, bytes]) -> None:
    """Nobody keeps these files: no need to wait for the disk, as build.write_tree does."""
    for name, data in content.items():
        place = directory / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


def _result(found: Mapping[str, Any]) -> Result:
    if found.get('overwrite_error'):
        error = str(found['overwrite_error'])
        line = next((int(a or b) for a, b in OVERWRITE_LINE.findall(error)), 1)
        return Result(Output(), overwrite_error=error, overwrite_line=line)
    documents = found.get('documents') or []
    error = found.get('error', '')
    head = failed(error) if error else Output()
    return Result(Output(_parts(documents), head.error, head.template, head.line), values=found.get('values', ''))


def _parts(documents: Sequence[Mapping[str, Any]]) -> tuple[Rendered, ...]:
    """The documents as helm prints them, with the origin of each line where it is known."""
    parts = split(''.join(f'---\n# Source: {d["source"]}\n{d["text"]}\n' for d in documents))
    if len(parts) != len(documents):  # one of them prints comments that look like helm's
        return parts
    return tuple(
        Rendered(part.template, part.text, tuple((str(file).partition('/')[2], int(line)) for file, line in lines))
        for part, lines in zip(parts, (d.get('lines') or () for d in documents), strict=True)
    )
