"""Links in documents lead to files that are there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from ...core.records import Severity
from ..documents import FENCE, documents
from ..hits import nearest
from ..model import Stack
from ..rule import Example, Hit, Rule
from ..statements import LONGEST_LINE, source_text

README = 'README.md'
LINK = re.compile(r'\[[^\]\[]*\]\(\s*<?(?P<target>[^)\s>]+)>?[^)]*\)')
CODE = re.compile(r'`[^`]*`')
# With a scheme, on another host, or inside of the document.
ELSEWHERE = re.compile(r'[A-Za-z][\w+.-]*:|//|#|/|\{')


def check(stack: Stack) -> Iterable[Hit]:
    files = frozenset((*stack.files, *stack.shared))
    for file in documents(stack):
        for number, target in _links(source_text(stack, file)):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(file), unquote(target.partition('#')[0])))
            # what lies above the stack is not part of it
            if path.startswith('..') or path in files or any(f.startswith(f'{path}/') for f in files) or path == '.':
                continue
            message = f'the link leads to {target}, which is not there{nearest(path, files)}'
            yield Hit(file, number, message, seen=target)


def _links(text: str) -> Iterator[tuple[int, str]]:
    """(line, target) of relative links outside of code."""
    fenced = ''
    for number, line in enumerate(text.split('\n'), start=1):
        match = FENCE.match(line)
        if match and (not fenced or match['fence'].startswith(fenced)):
            fenced = '' if fenced else match['fence']
        elif not fenced:
            for link in LINK.finditer(CODE.sub('', line[:LONGEST_LINE])):
                if not ELSEWHERE.match(link['target']):
                    yield number, link['target']


RULE = Rule(
    id='docs-links',
    severity=Severity.WARNING,
    title='links in documents lead to files that are there',
    motivation='Documents point at the image list or at examples beside them; a file that was renamed is a dead end.',
    check=check,
    bad=(
        Example({README: 'See\n[the list](kubernetes.yml).\n', 'kubernetes.yaml': 'images: []\n'}, hits=((README, 2),)),
        Example({'docs/a.md': '[x](./b.md#part)\n'}, hits=(('docs/a.md', 1),)),
    ),
    good=(
        Example({README: '[a](csctl.yaml) [b](cluster-class) [c](https://example.org/x) [d](#part) [e](../other)\n'}),
        Example({README: '```\n[a](b)\n```\n`[a](b)`\n'}),
    ),
)
