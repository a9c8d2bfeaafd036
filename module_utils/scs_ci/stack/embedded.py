"""Files and commands that machines of a stack get: cloud-init writes and runs them, and nobody parses them before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .model import Stack, once
from .objects import Object, class_objects
from .yamltext import List, Map, Node, Scalar

COMMANDS = ('preKubeadmCommands', 'postKubeadmCommands', 'bootCommands')
SHELL = re.compile(r'#!\s*(?:/usr)?(?:/local)?/bin/(?:env\s+(?:-S\s+)?)?(bash|sh|dash)\b')
UNIT = re.compile(r'\.(service|socket|timer|mount|path|target|slice|swap|automount|conf)$')


@dataclass(frozen=True)
class Embedded:
    """A file or command. path: on the machine, '' for a command; node: of its text; form: how it is parsed."""

    object: Object
    path: str
    node: Scalar
    form: str

    def line(self, number: int) -> int:
        """The line, in the rendering, of a line (from 1) of the content."""
        return self.node.line + number if '\n' in self.node.content else self.node.line


@once
def embedded_files(stack: Stack) -> Iterator[Embedded]:
    """All of them, in the order of the objects."""
    return (found for object in class_objects(stack) for found in _below(object, object.root))


def configurations(stack: Stack) -> tuple[Embedded, ...]:
    """Those that may be configuration files of Kubernetes' programs."""
    return tuple(e for e in embedded_files(stack) if e.form == 'yaml' and 'kind:' in e.node.content)


def scripts(stack: Stack) -> tuple[Embedded, ...]:
    """Those that a shell runs."""
    return tuple(e for e in embedded_files(stack) if e.form in ('bash', 'sh'))


def _below(object: Object, node: Node) -> Iterator[Embedded]:
    if isinstance(node, List):
        for child in node.nodes:
            yield from _below(object, child)
    if not isinstance(node, Map):
        return
    content, path = node.get('content'), node.value('path')
    if isinstance(content, Scalar) and path and node.value('encoding') == '':
        yield Embedded(object, path, content, form(path, content.content))
    for name, child in node.entries:
        if name.content in COMMANDS:
            yield from (Embedded(object, '', c, 'bash') for c in node.items(name.content) if isinstance(c, Scalar))
        yield from _below(object, child)


def form(path: str, content: str) -> str:
    """How the program that reads this file parses it; '' when nobody knows."""
    if '{{' in content or content.lstrip().startswith('## template: jinja'):
        return ''  # cloud-init fills it in first
    shebang = SHELL.match(content)
    if shebang:
        return 'bash' if shebang[1] == 'bash' else 'sh'
    if path.endswith(('.yaml', '.yml')) or path.startswith('/etc/kubernetes/manifests/'):
        return 'yaml'
    if path.endswith('.json'):
        return 'json'
    if path.endswith('.toml') and '/templates/' not in path:
        return 'toml'
    if path.endswith('.sh'):
        return 'sh'
    if '/systemd/' in path and UNIT.search(path):
        return 'unit'
    return ''
