"""An Image object and an entry of the image list for the same version give the image the same properties and name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..images import NodeImage, node_images
from ..model import Stack
from ..rule import Example, Hit, Rule

IMAGE, LIST = 'image.yaml', 'kubernetes.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    images = node_images(stack)
    listed = {image.version: image for image in images if image.form == 'list' and image.version}
    for image in images:
        if image.form == 'object' and image.version in listed:
            yield from _name(image, listed[image.version])
            yield from _properties(image, listed[image.version])
        yield from _scsi(image)


def _name(image: NodeImage, other: NodeImage) -> Iterator[Hit]:
    if image.name != other.name:
        (file, line), (there, line_there) = image.place(image.owner), other.place(other.owner)
        message = f'this image is named {image.name!r}, {there}:{line_there} makes {other.name!r}: clusters ask for one'
        yield Hit(file, line, message, seen=image.name, wanted=other.name)


def _properties(image: NodeImage, other: NodeImage) -> Iterator[Hit]:
    for what, node in image.properties.items():
        there = other.properties.get(what)
        if there is not None and there.text != node.text:
            (file, line), (other_file, other_line) = image.place(node), other.place(there)
            message = f'{what} is {node.text} here and {there.text} in {other_file}:{other_line}: '
            message += 'the same cluster gets other machines depending on how its image was imported'
            yield Hit(file, line, message, seen=node.text, wanted=there.text)


def _scsi(image: NodeImage) -> Iterator[Hit]:
    """A SCSI bus without a model makes Nova emulate a controller that current kernels have no driver for."""
    bus = image.properties.get('disk bus')
    if bus is not None and bus.text == 'scsi' and 'SCSI model' not in image.properties:
        file, line = image.place(bus)
        message = 'disks are on a SCSI bus without a model: Nova emulates an old controller; state virtio-scsi'
        yield Hit(file, line, message, seen='scsi', wanted='virtio-scsi')


def _object(bus: str = 'virtio', memory: int = 1024, name: str = 'ubuntu-capi-image-v1.34.7') -> str:
    return (
        f'kind: Image\nmetadata:\n  name: {name}\nspec:\n  resource:\n    properties:\n'
        f'      hardware:\n        diskBus: {bus}\n      minMemoryMB: {memory}\n'
    )


def _list(version: str = 'v1.34.7') -> str:
    return (
        'images:\n  - name: ubuntu-capi-image\n    separator: "-"\n    min_ram: 1024\n    meta:\n'
        f'      hw_disk_bus: virtio\n    versions:\n      - version: {version}\n'
    )


RULE = Rule(
    id='image-properties',
    severity=Severity.WARNING,
    title='Image objects and image lists give images the same name and properties',
    motivation=(
        'scs2 offers two ways to import its image. One makes disks appear as sda, the other as vda, and only one of '
        'them lets machines with 1 GiB of memory start: what works on one cloud fails on the next.'
    ),
    check=check,
    bad=(
        Example({LIST: _list(), IMAGE: _object(memory=2048)}, hits=((IMAGE, 9),)),
        Example({LIST: _list(), IMAGE: _object(name='ubuntu-capi-v1.34.7')}, hits=((IMAGE, 3),)),
        Example({IMAGE: _object(bus='scsi')}, hits=((IMAGE, 8),)),
    ),
    good=(
        Example({LIST: _list(), IMAGE: _object()}),
        Example({LIST: _list('v1.34.6'), IMAGE: _object(memory=2048)}),
    ),
)
