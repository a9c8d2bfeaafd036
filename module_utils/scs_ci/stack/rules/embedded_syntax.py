"""Files and commands for machines parse: YAML, JSON, TOML, systemd units, shell."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator

from ...core.records import Severity
from ..embedded import Embedded, embedded_files, scripts
from ..hits import at
from ..model import Stack
from ..rule import Example, Hit, Rule
from ..units import errors as unit_errors
from ..yamltext import Broken, parse

TEMPLATE = 'cluster-class/templates/class.yaml'
SHELL_LINE = re.compile(r'line (\d+): (.*)')
TOML_LINE = re.compile(r'\(at line (\d+), column \d+\)')


def check(stack: Stack) -> Iterable[Hit]:
    for embedded in embedded_files(stack):
        parser = PARSERS.get(embedded.form)
        for line, message in parser(embedded.path, embedded.node.content) if parser else ():
            yield _hit(stack, embedded, line, message)
    for script, answer in zip(scripts(stack), stack.answers.scripts, strict=False):
        if answer:
            # bash tells the place that it gave up at first and what it waited for last
            found = SHELL_LINE.search(answer)
            line, message = (int(found[1]), found[2]) if found else (1, answer)
            yield _hit(stack, script, min(line, script.node.content.count('\n') or 1), f'bash: {message}')


def _hit(stack: Stack, embedded: Embedded, line: int, message: str) -> Hit:
    names = {'unit': 'a systemd unit', 'sh': 'a shell script', 'bash': 'a shell script'}
    what = names.get(embedded.form, embedded.form.upper())
    where = f'file {embedded.path}' if embedded.path else 'command'
    text = f'{where} in {embedded.object.title} does not parse as {what} (its line {line}): {message}'
    return at(stack, embedded.object, embedded.line(line), text)


def _yaml(_: str, content: str) -> Iterator[tuple[int, str]]:
    try:
        documents = parse(content)
    except Broken as error:
        yield error.line, error.message
        return
    for document in documents:
        for duplicate in document.duplicates:
            yield duplicate.line, f'the key {duplicate.key!r} stands twice in one mapping'


def _json(_: str, content: str) -> Iterator[tuple[int, str]]:
    try:
        json.loads(content)
    except json.JSONDecodeError as error:
        yield error.lineno, error.msg
    except RecursionError:
        yield 1, 'nested too deeply'


def _toml(_: str, content: str) -> Iterator[tuple[int, str]]:
    import tomllib  # loaded only where there is TOML: its expressions take long to compile

    try:
        tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        found = TOML_LINE.search(str(error))
        yield int(found[1]) if found else content.count('\n') or 1, str(error)


PARSERS: dict[str, Callable[[str, str], Iterator[tuple[int, str]]]] = {
    'yaml': _yaml,
    'json': _json,
    'toml': _toml,
    'unit': unit_errors,
}


def _example(path: str, content: str, *hits: int, said: tuple[str, ...] = ()) -> Example:
    lines = ''.join(f'          {line}\n' for line in content.split('\n'))
    text = (
        'apiVersion: bootstrap.cluster.x-k8s.io/v1beta1\n'
        'kind: KubeadmConfigTemplate\n'
        'metadata:\n'
        '  name: x\n'
        'spec:\n'
        '  files:\n'
        f'    - path: {path}\n'
        '      content: |\n' + lines
    )
    rendered = {'cluster-class': '# Source: x/templates/class.yaml\n' + text}
    return Example({TEMPLATE: text}, rendered, scripts=said, hits=tuple((TEMPLATE, line) for line in hits))


RULE = Rule(
    id='embedded-syntax',
    severity=Severity.ERROR,
    title='files and commands for machines parse',
    motivation=(
        'A file of cloud-init is a text like any other until a machine reads it: containerd with broken TOML or '
        'kubelet with a broken drop-in shows as a node that never joins.'
    ),
    check=check,
    bad=(
        _example('/etc/containerd/config.toml', 'version = 2\n[plugins\nx = 1', 10),
        _example('/etc/a.yaml', 'a: 1\nb: [', 10),
        _example('/etc/a.yaml', 'a: 1\na: 2', 10),
        _example('/etc/a.json', '{"a": 1,\n}', 10),
        _example('/etc/systemd/system/a.service', '[Service]\nExecStart /bin/true\n[Instal]\nWantedBy=x', 10, 11),
        _example('/etc/a.sh', 'if true; then\necho', 10, said=('line 2: syntax error: unexpected end of file',)),
    ),
    good=(
        Example(),
        _example('/etc/systemd/system/kubelet.service.d/a.conf', '[Service]\nEnvironment=A=b \\\n  C=d\n# x\n'),
        _example('/etc/containerd/config.toml', 'version = 2\n[plugins]\nx = 1\n'),
        _example('/etc/systemd/resolved.conf.d/a.conf', '[Resolve]\nDNS=192.0.2.1\n'),
        _example('/etc/a.yaml', '## template: jinja\na: {{ ds.x }}\n'),
    ),
    asks=True,
)
