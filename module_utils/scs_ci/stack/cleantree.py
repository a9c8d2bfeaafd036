"""The files of a checkout as Git has them committed: what a fresh clone would hold, whatever lies around here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ..core.errors import ProductProblem, ToolProblem, UsageProblem
from ..core.process import Completed, run
from .discover import Place, load
from .gitread import GIT_SECONDS, git, git_command
from .model import Stack

SHOWN = 5  # names of differing files in a message


class Dirty(ProductProblem):
    """The stack has files that are not committed as they are."""

    verdict = 'dirty'


@contextmanager
def exported(checkout: Path) -> Iterator[Path]:
    """A directory with the commit of HEAD as Git would check it out, links and conversions of line ends included.

    Nothing of the checkout is written to, not even its index. UsageProblem when it is no work tree with a commit.
    """
    top, below = _ask(checkout, '--show-toplevel'), _ask(checkout, '--show-prefix')
    with TemporaryDirectory(prefix='scs-ci-commit-') as work:
        target = Path(work) / 'tree'
        target.mkdir()
        index = {'GIT_INDEX_FILE': str(Path(work) / 'index')}
        for words in (['read-tree', 'HEAD'], ['checkout-index', '--all', '--quiet', f'--prefix={target}/']):
            done = _git(Path(top), *words, environment=index)
            if done.code:
                raise ToolProblem('cannot export', f'the commit of {checkout}', done.last_words(), 'see what git said')
        yield target / below


def _ask(checkout: Path, what: str) -> str:
    done = git(checkout, 'rev-parse', what)
    head = git(checkout, 'rev-parse', '--verify', '--quiet', 'HEAD') if done.code == 0 else done
    if head.code:
        answer = done.last_words(1) if done.code else 'it has no commit'
        advice = 'build without --clean, or from a clone'
        raise UsageProblem('cannot take the committed files of', f'checkout {checkout}', answer, advice)
    return done.stdout.removesuffix('\n')


def _git(directory: Path, *words: str, environment: Mapping[str, str]) -> Completed:
    env = {**os.environ, 'LC_ALL': 'C', **environment}
    return run(git_command(directory, *words), timeout=GIT_SECONDS, env=env)


def committed(directory: Path, place: Place) -> Stack:
    """The stack at a place of an exported commit; Dirty when it is not in there."""
    if not (directory / place.path).is_dir():
        advice = 'commit it, or build without --clean'
        raise Dirty('will not release', f'stack {place.path}', 'nothing of it is committed', advice)
    return load(directory, place)


def demand_clean(here: Stack, committed: Stack) -> None:
    """Dirty when a file of the stack is not as it is committed; untracked and ignored ones count, too."""
    now, then = {**here.files, **here.shared}, {**committed.files, **committed.shared}
    differing = sorted(name for name in {*now, *then} if now.get(name) != then.get(name))
    if not differing:
        return
    told = [f'{name} {_how(name, now, then)}' for name in differing[:SHOWN]]
    more = f' and {len(differing) - SHOWN} more' if len(differing) > SHOWN else ''
    advice = 'commit or remove them, or release what is committed with --clean export'
    raise Dirty('will not release', f'stack {here.path}', f'{", ".join(told)}{more}', advice)


def _how(name: str, now: Mapping[str, bytes], then: Mapping[str, bytes]) -> str:
    if name not in then:
        return 'is not committed'
    return 'differs from the commit' if name in now else 'is missing'
