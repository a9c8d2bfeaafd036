"""Files and commands for machines fit together: no file twice, and what commands run is there and may run."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...core.records import Severity
from ..embedded import COMMANDS
from ..hits import at
from ..model import Stack
from ..objects import Object, class_objects
from ..rule import Example, Hit, Rule
from ..yamltext import Map, Scalar, walk

TEMPLATE = 'cluster-class/templates/class.yaml'
MODE = re.compile(r'0?[0-7]{3,4}')
# A path that a command runs, by itself or through a shell.
RUN = re.compile(r'(?:^|[;&|]\s*|\bsudo\s+)(?P<shell>(?:bash|sh|source|\.)\s+(?:-\w+\s+)*)?(?P<path>/[\w./-]+)')
CHMOD = re.compile(r'\bchmod\s+\S+\s+(?P<paths>[^;&|]+)')
# So alike is a misspelt name; images have programs of their own, so others are not told.
ALIKE = 0.8


@dataclass(frozen=True)
class File:
    """An entry of `files`. mode: as written, '' without."""

    path: str
    mode: str
    node: Map


def check(stack: Stack) -> Iterable[Hit]:
    for found in class_objects(stack):
        if found.kind.startswith('Kubeadm'):
            for node in walk(found.root):
                if isinstance(node, Map):
                    yield from _machine(stack, found, node)


def _machine(stack: Stack, found: Object, node: Map) -> Iterator[Hit]:
    """One configuration: its files and commands stand beside each other."""
    files = [File(e.value('path'), e.value('permissions'), e) for e in node.items('files') if isinstance(e, Map)]
    seen: set[str] = set()
    for file in files:
        if file.path in seen and file.node.value('append') != 'true':
            message = f'{file.path} is written twice in {found.title}: the second one replaces the first'
            yield at(stack, found, (file.node.get('path') or file.node).line, message, seen=file.path)
        seen.add(file.path)
        if file.mode and not MODE.fullmatch(file.mode):
            message = (
                f'{file.path} has permissions {file.mode!r}, which are no octal number: cloud-init passes over them'
            )
            line = (file.node.get('permissions') or file.node).line
            yield at(stack, found, line, message, seen=file.mode, wanted='0644')
    commands = [c for key in COMMANDS for c in node.items(key) if isinstance(c, Scalar)]
    yield from _commands(stack, found, files, commands)


def _commands(stack: Stack, found: Object, files: list[File], commands: list[Scalar]) -> Iterator[Hit]:
    written = {file.path: file for file in files}
    made = {path for c in commands for match in CHMOD.finditer(c.content) for path in match['paths'].split()}
    for command in commands:
        for match in RUN.finditer(command.content):
            path = match['path']
            file = written.get(path)
            if file is None:
                near = _near(path, written)
                if near:
                    message = f'{found.title} runs {path}, which nobody writes, did you mean {near}?'
                    yield at(stack, found, command.line, message, seen=path, wanted=near, severity=Severity.WARNING)
            elif not match['shell'] and not _may_run(file) and path not in made:
                message = f'{found.title} runs {path}, which has permissions {file.mode or "0644"}: it cannot be run'
                yield at(stack, found, command.line, message, seen=path, wanted="permissions: '0755'")


def _may_run(file: File) -> bool:
    return bool(MODE.fullmatch(file.mode)) and int(file.mode, 8) & 0o100 != 0


def _near(path: str, written: Iterable[str]) -> str:
    """A file that is written and nearly has this name, or has it in another directory."""
    elsewhere = [p for p in written if posixpath.basename(p) == posixpath.basename(path)]
    return (elsewhere or difflib.get_close_matches(path, list(written), n=1, cutoff=ALIKE) or [''])[0]


def _example(files: dict[str, str], command: str, *lines: int, twice: bool = False) -> Example:
    entries = [f'    - path: {path}\n      content: x\n      permissions: "{mode}"\n' for path, mode in files.items()]
    text = (
        'apiVersion: bootstrap.cluster.x-k8s.io/v1beta1\nkind: KubeadmConfigTemplate\nmetadata: {name: x}\nspec:\n'
        f'  preKubeadmCommands:\n    - {command}\n  files:\n{"".join(entries * (2 if twice else 1))}'
    )
    rendered = {'cluster-class': '---\n# Source: x/templates/class.yaml\n' + text}
    return Example({TEMPLATE: text}, rendered, hits=tuple((TEMPLATE, line) for line in lines))


RULE = Rule(
    id='embedded-files',
    severity=Severity.ERROR,
    title='what commands of machines run is written, once, and may run',
    motivation=(
        'A script that was renamed, and the command that runs it was not, ends the first boot of every machine: with '
        'preKubeadmCommands kubeadm does not even begin.'
    ),
    check=check,
    bad=(
        _example({'/etc/kube-proxy-patch.sh': '0755'}, 'bash /etc/kube-proxy.sh', 6),
        _example({'/etc/a.sh': '0755'}, 'bash /opt/a.sh', 6),
        _example({'/etc/a.sh': '0644'}, '/etc/a.sh --now', 6),
        _example({'/etc/a.sh': 'rwxr-xr-x'}, 'bash /etc/a.sh', 10),
        _example({'/etc/a.sh': '0755'}, 'bash /etc/a.sh', 11, twice=True),
    ),
    good=(
        Example(),
        _example({'/etc/a.sh': '0755'}, '/etc/a.sh --now && /usr/bin/other'),
        _example({'/etc/a.sh': '0600'}, 'bash -e /etc/a.sh'),
        _example({'/etc/a.sh': '0600'}, 'chmod +x /etc/a.sh; /etc/a.sh'),
    ),
)
