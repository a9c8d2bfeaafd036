"""Names in documents are the same throughout: what one command makes, the next one uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..documents import (
    SHELL_LANGUAGES,
    VARIABLE,
    Block,
    blocks,
    documents,
    exports,
    outside_heredocs,
    samples,
    substitute,
)
from ..model import Stack
from ..rule import Example, Hit, Rule

README = 'README.md'
KUBECONFIG = re.compile(r'clusterctl\s+get\s+kubeconfig\s+(?P<words>[^|>;&]*)')
SOURCED = re.compile(r'\s*(?:source|\.)\s+\S')
NAMESPACE = re.compile(r'(?:-n|--namespace)[ =](\S+)')
# Set by shells and their users' systems, or by the credentials that OpenStack's own files set.
GIVEN = re.compile(r'PWD|HOME|USER|PATH|SHELL|TMPDIR|HOSTNAME|RANDOM|UID|EDITOR|KUBECONFIG|XDG_\w+|OS_\w+|[a-z]\w*|_')


def check(stack: Stack) -> Iterable[Hit]:
    made: dict[str, set[tuple[str, str]]] = {}
    for sample in samples(stack):
        for document in sample.documents:
            root = document.root
            if root is not None and root.value('kind') == 'Cluster' and root.get('spec', 'topology') is not None:
                name = root.value('metadata', 'name'), root.value('metadata', 'namespace')
                made.setdefault(sample.file, set()).add(name)
    for file in documents(stack):
        known = exports(stack, file)
        # what a file that is read in sets is not known here
        sourced = any(SOURCED.match(line) for block in blocks(stack, file) for line in block.lines)
        for block in blocks(stack, file):
            if block.language in SHELL_LANGUAGES:
                yield from _kubeconfig(block, known, made.get(file, set()))
                yield from _unset(block, known) if not sourced else ()


def _kubeconfig(block: Block, known: dict[str, str], made: set[tuple[str, str]]) -> Iterator[Hit]:
    """The cluster whose kubeconfig is fetched is one that the document makes."""
    for number, line in outside_heredocs(block):
        match = KUBECONFIG.search(substitute(line, known))
        if not match or not made:
            continue
        namespaces = NAMESPACE.findall(match['words'])
        words = [w for w in NAMESPACE.sub('', match['words']).split() if not w.startswith('-')]
        names = {name for name, _ in made}
        if words and words[0] not in names:
            message = (
                f'fetches the kubeconfig of {words[0]!r}, the document makes {", ".join(sorted(names))}: use its name'
            )
            yield Hit(block.file, number, message, seen=words[0], wanted=' or '.join(sorted(names)))
        elif namespaces and words and (words[0], namespaces[0]) not in made and ('', '') not in made:
            wanted = sorted(space for name, space in made if name == words[0] and space)
            if wanted and namespaces[0] not in wanted:
                message = f'looks for cluster {words[0]} in namespace {namespaces[0]}, it is made in {wanted[0]}'
                yield Hit(block.file, number, message, seen=namespaces[0], wanted=wanted[0])


def _unset(block: Block, known: dict[str, str]) -> Iterator[Hit]:
    """Variables of the shell that nobody sets become nothing, silently; those with a fallback are no matter."""
    told: set[str] = set()
    for number, line in enumerate(block.lines, start=block.line):
        for match in VARIABLE.finditer(line):
            name = match['braced'] or match['plain']
            if name in known or name in told or match['more'] or GIVEN.fullmatch(name):
                continue
            told.add(name)
            message = f'${name} is set nowhere in this document: the shell puts nothing in its place; set it before'
            yield Hit(block.file, number, message, seen=f'${name}')


_CLUSTER = '```yaml\nkind: Cluster\nmetadata: {name: my-cluster, namespace: cluster}\nspec: {topology: {}}\n```\n'
_EXPORT = '```sh\nexport NAME=my-cluster\n```\n'
_GET = '```sh\nclusterctl get kubeconfig -n cluster '

RULE = Rule(
    id='docs-names',
    severity=Severity.WARNING,
    title='documents use the names that they introduce',
    motivation='The README of a stack makes one cluster and fetches the kubeconfig of another: the last step fails.',
    check=check,
    bad=(
        Example({README: f'{_CLUSTER}{_GET}testcluster > /tmp/kubeconfig\n```\n'}, hits=((README, 7),)),
        Example({README: f'{_CLUSTER}{_GET.replace("cluster ", "default ")}my-cluster\n```\n'}, hits=((README, 7),)),
        Example({README: '```sh\nkubectl create namespace $NAMESPACE\n```\n'}, hits=((README, 2),)),
    ),
    good=(
        Example({README: f'{_CLUSTER}{_GET}my-cluster > /tmp/kubeconfig\n```\n'}),
        Example({README: f'{_EXPORT}{_CLUSTER.replace("my-cluster", "$NAME")}{_GET}${{NAME}}\n```\n'}),
        Example({README: '```sh\nexport A=1 B=2; read -p "x" C\necho $A $B $C\n```\n'}),
        Example({README: '```sh\n. ./settings\necho $A\n```\n'}),
        Example({README: '```sh\nls ${HOME}/${DIR:-x}; for i in 1 2; do echo $i; done\n```\n'}),
    ),
)
