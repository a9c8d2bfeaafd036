"""The image manager's list and the Image object name the same file for the same version."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...core.records import Severity
from ..model import Stack, YamlFile
from ..rule import Example, Hit, Rule
from ..versions import Kubernetes, parse_kubernetes
from ..yamltext import Node

LISTS = ('kubernetes.yaml', 'image-manager.yaml')
IMAGE = 'image.yaml'
IN_URL = re.compile(r'kube-(v?\d+\.\d+(?:\.\d+)?)(?!\.?\d)')
SHA256 = re.compile(r'[0-9a-f]{64}')


@dataclass(frozen=True)
class Source:
    """Where one image comes from, with the nodes that say so."""

    file: str
    version: Kubernetes | None
    url: Node
    checksum: Node | None

    @property
    def digest(self) -> str:
        return self.checksum.text.removeprefix('sha256:') if self.checksum is not None else ''


def check(stack: Stack) -> Iterable[Hit]:
    listed = [s for name in LISTS if name in stack.yaml for s in _listed(stack.yaml[name])]
    single = list(_single(stack.yaml[IMAGE])) if IMAGE in stack.yaml else []
    for source in (*listed, *single):
        yield from _sound(source)
    for source in single:
        for other in listed:
            if source.version is not None and source.version == other.version:
                yield from _equal(source, other)


def _listed(file: YamlFile) -> Iterator[Source]:
    for image in file.root.items('images') if file.root is not None else ():
        for entry in image.items('versions'):
            url = entry.get('url')
            if url is not None:
                yield Source(file.path, parse_kubernetes(entry.value('version')), url, entry.get('checksum'))


def _single(file: YamlFile) -> Iterator[Source]:
    for document in file.documents:
        root = document.root
        url = root.get('spec', 'resource', 'content', 'download', 'url') if root is not None else None
        if root is not None and url is not None:
            checksum = root.get('spec', 'resource', 'content', 'download', 'hash', 'value')
            name = re.search(r'v\d+\.\d+\.\d+', root.value('metadata', 'name'))
            yield Source(file.path, parse_kubernetes(name[0]) if name else None, url, checksum)


def _sound(source: Source) -> Iterable[Hit]:
    for seen in IN_URL.findall(source.url.text):
        stated = parse_kubernetes(seen)
        if stated and source.version and not stated.agrees(source.version):
            message = f'the address is of {seen}, the entry of {source.version}'
            yield Hit(source.file, source.url.line, message, seen=seen, wanted=str(source.version))
    if source.checksum is not None and not SHA256.fullmatch(source.digest):
        message = 'the checksum is not a SHA-256 of 64 hexadecimal digits'
        yield Hit(source.file, source.checksum.line, message, seen=source.checksum.text)


def _equal(source: Source, other: Source) -> Iterable[Hit]:
    if source.url.text != other.url.text:
        message = f'{other.file}:{other.url.line} has another address for {source.version}'
        yield Hit(source.file, source.url.line, message, seen=source.url.text, wanted=other.url.text)
    elif source.checksum is not None and other.checksum is not None and source.digest != other.digest:
        message = f'{other.file}:{other.checksum.line} has another checksum for the same file'
        yield Hit(source.file, source.checksum.line, message, seen=source.digest, wanted=other.digest)


def _list(version: str = 'v1.34.7', checksum: str = 'a' * 64) -> str:
    return (
        'images:\n  - name: ubuntu-capi-image\n    versions:\n'
        f'      - version: {version}\n'
        '        url: https://images.example/ubuntu-2404-kube-v1.34/ubuntu-2404-kube-v1.34.7.qcow2\n'
        f'        checksum: "sha256:{checksum}"\n'
    )


def _object(checksum: str = 'a' * 64, host: str = 'images.example') -> str:
    return (
        'kind: Image\nmetadata:\n  name: ubuntu-capi-image-v1.34.7\nspec:\n  resource:\n    content:\n      download:\n'
        f'        url: https://{host}/ubuntu-2404-kube-v1.34/ubuntu-2404-kube-v1.34.7.qcow2\n'
        f'        hash:\n          algorithm: sha256\n          value: {checksum}\n'
    )


RULE = Rule(
    id='image-lists',
    severity=Severity.ERROR,
    title='image lists and Image objects agree in address and checksum',
    motivation='A generator that did not look at HTTP errors wrote the checksum of an error page.',
    check=check,
    bad=(
        Example({'kubernetes.yaml': _list(version='v1.34.6')}, hits=(('kubernetes.yaml', 5),)),
        Example({'kubernetes.yaml': _list(checksum='abc')}, hits=(('kubernetes.yaml', 6),)),
        Example({'kubernetes.yaml': _list(), IMAGE: _object('b' * 64)}, hits=((IMAGE, 11),)),
        Example({'kubernetes.yaml': _list(), IMAGE: _object(host='elsewhere.example')}, hits=((IMAGE, 8),)),
    ),
    good=(Example({'kubernetes.yaml': _list(), IMAGE: _object()}),),
)
