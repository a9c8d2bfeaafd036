"""Node images come from a place that is still filled, and lists of the former provider operator are complete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..bucket import BUCKET, FORMER
from ..images import CSPO_LIST, node_images
from ..model import Stack
from ..rule import Example, Hit, Rule
from ..yamltext import Node

MANDATORY = ('name', 'disk_format', 'container_format')
IMAGE = 'image.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    for image in node_images(stack):
        if image.url is None:
            continue
        file, line = image.place(image.url)
        if FORMER in image.url.text:
            message = 'the image comes from a bucket that gets no new images: take the address in the present one'
            yield Hit(file, line, message, image.url.text, image.url.text.replace(FORMER, BUCKET))
        elif image.url.text.startswith('http://'):
            message = 'the image comes over an unprotected connection: use https'
            yield Hit(file, line, message, image.url.text, image.url.text.replace('http://', 'https://', 1))
    file_of_cspo = stack.yaml.get(CSPO_LIST)
    if file_of_cspo is not None and file_of_cspo.root is not None:
        entries = file_of_cspo.root.items('openStackNodeImages')
        if not entries:
            message = 'the list of node images is empty: the provider operator refuses it; list one or remove the file'
            yield Hit(CSPO_LIST, 1, message, wanted='openStackNodeImages', severity=Severity.ERROR)
        for entry in entries:
            yield from _complete(entry)


def _complete(entry: Node) -> Iterator[Hit]:
    options = entry.get('createOpts') or entry
    for key in MANDATORY:
        if not entry.value('createOpts', key):
            message = f'createOpts has no {key}: the provider operator refuses the list; add it'
            yield Hit(CSPO_LIST, options.line, message, wanted=key, severity=Severity.ERROR)
    if not entry.value('url') and not entry.value('imageDir'):
        message = 'the image has neither an address nor a directory to build it in: add url'
        yield Hit(CSPO_LIST, entry.line, message, wanted='url', severity=Severity.ERROR)


def _image(base: str) -> str:
    return (
        'kind: Image\nmetadata:\n  name: ubuntu-capi-image-v1.34.7\nspec:\n  resource:\n    content:\n      download:\n'
        f'        url: {base}ubuntu-2404-kube-v1.34/ubuntu-2404-kube-v1.34.7.qcow2\n'
    )


def _cspo(options: str, url: str = '    url: https://images.example/x.qcow2\n') -> str:
    return f'openStackNodeImages:\n  - createOpts: {options}\n{url}'


_OPTIONS = '{name: ubuntu-capi-image-v1.34.7, disk_format: qcow2, container_format: bare}'

RULE = Rule(
    id='image-source',
    severity=Severity.WARNING,
    title='node images come from the bucket that is filled',
    motivation='The bucket moved in 2025. Stacks that kept the old prefix found no image for any newer version.',
    check=check,
    bad=(
        Example({IMAGE: _image(FORMER)}, hits=((IMAGE, 8),)),
        Example({IMAGE: _image('http://images.example/')}, hits=((IMAGE, 8),)),
        Example({CSPO_LIST: _cspo('{name: x, disk_format: qcow2}')}, hits=((CSPO_LIST, 2),)),
        Example({CSPO_LIST: _cspo(_OPTIONS, '')}, hits=((CSPO_LIST, 2),)),
        Example({CSPO_LIST: 'openStackNodeImages: []\n'}, hits=((CSPO_LIST, 1),)),
    ),
    good=(Example({IMAGE: _image(BUCKET), CSPO_LIST: _cspo(_OPTIONS)}),),
)
