"""Node images that the files of a stack describe: lists of the image manager, Image objects of ORC, lists of CSPO."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from .model import Stack, YamlFile
from .objects import Object, class_objects
from .versions import Kubernetes, parse_kubernetes
from .yamltext import Node

LISTS = ('kubernetes.yaml', 'image-manager.yaml')
OBJECT_GROUP = 'openstack.k-orc.cloud'
CSPO_LIST = 'node-images/config.yaml'
IN_NAME = re.compile(r'v\d+\.\d+\.\d+')
# What both forms can state: name here -> keys in the list, keys below `properties` in the object.
PROPERTIES = {
    'disk bus': (('meta', 'hw_disk_bus'), ('hardware', 'diskBus')),
    'SCSI model': (('meta', 'hw_scsi_model'), ('hardware', 'scsiModel')),
    'random number generator': (('meta', 'hw_rng_model'), ('hardware', 'rngModel')),
    'architecture': (('meta', 'architecture'), ('architecture',)),
    'distribution': (('meta', 'os_distro'), ('operatingSystem', 'distro')),
    'distribution version': (('meta', 'os_version'), ('operatingSystem', 'version')),
    'smallest disk in GiB': (('min_disk',), ('minDiskGB',)),
    'smallest memory in MiB': (('min_ram',), ('minMemoryMB',)),
}


@dataclass(frozen=True)
class NodeImage:
    """One image. form: 'list', 'object' or 'cspo'; name: as OpenStack will know it; place: node -> (file, line).

    owner: the node of the entry itself. url and checksum are None when they are not stated.
    """

    form: str
    name: str
    version: Kubernetes | None
    owner: Node
    url: Node | None
    checksum: Node | None
    algorithm: str
    place: Callable[[Node], tuple[str, int]] = field(repr=False)
    properties: Mapping[str, Node] = field(default_factory=dict, repr=False)

    @property
    def digest(self) -> str:
        return self.checksum.text.rpartition(':')[2].lower() if self.checksum is not None else ''


def node_images(stack: Stack) -> tuple[NodeImage, ...]:
    """All node images that the stack describes, in its files and in what its class chart prints."""
    found = [image for file in list_files(stack) for image in _listed(file)]
    for file in stack.yaml.values():
        found += _objects(file)
    for printed in class_objects(stack):
        if printed.group == OBJECT_GROUP and printed.kind == 'Image':
            found.append(_object(printed.root, _in_rendering(stack, printed)))
    if CSPO_LIST in stack.yaml:
        found += _cspo(stack.yaml[CSPO_LIST])
    return tuple(found)


def list_files(stack: Stack) -> tuple[YamlFile, ...]:
    """Lists of the image manager, also the one that the minors of layout B share."""
    return tuple(file for path, file in stack.yaml.items() if path.rsplit('/', 1)[-1] in LISTS)


def _in_file(file: YamlFile) -> Callable[[Node], tuple[str, int]]:
    return lambda node: (file.path, node.line)


def _in_rendering(stack: Stack, printed: Object) -> Callable[[Node], tuple[str, int]]:
    def place(node: Node) -> tuple[str, int]:
        found = printed.place(stack, node)
        return found.file, found.line

    return place


def _listed(file: YamlFile) -> Iterator[NodeImage]:
    for image in file.root.items('images') if file.root is not None else ():
        properties = {what: n for what, (keys, _) in PROPERTIES.items() if (n := image.get(*keys)) is not None}
        for entry in image.items('versions'):
            stated = entry.get('checksum')
            yield NodeImage(
                form='list',
                name=f'{image.value("name")}{image.value("separator") or " "}{entry.value("version")}',
                version=parse_kubernetes(entry.value('version')),
                owner=entry,
                url=entry.get('url'),
                checksum=stated,
                algorithm=stated.text.partition(':')[0] if stated is not None and ':' in stated.text else 'sha256',
                place=_in_file(file),
                properties=properties,
            )


def _objects(file: YamlFile) -> Iterator[NodeImage]:
    for document in file.documents:
        root = document.root
        if root is not None and root.value('kind') == 'Image' and root.get('spec', 'resource') is not None:
            yield _object(root, _in_file(file))


def _object(root: Node, place: Callable[[Node], tuple[str, int]]) -> NodeImage:
    download = root.get('spec', 'resource', 'content', 'download')
    properties = root.get('spec', 'resource', 'properties')
    name = root.value('spec', 'resource', 'name') or root.value('metadata', 'name')
    version = IN_NAME.search(name)
    return NodeImage(
        form='object',
        name=name,
        version=parse_kubernetes(version[0]) if version else None,
        owner=root.get('metadata', 'name') or root,
        url=download.get('url') if download is not None else None,
        checksum=download.get('hash', 'value') if download is not None else None,
        algorithm=download.value('hash', 'algorithm') if download is not None else '',
        place=place,
        properties={
            what: n
            for what, (_, keys) in PROPERTIES.items()
            if properties is not None and (n := properties.get(*keys)) is not None
        },
    )


def _cspo(file: YamlFile) -> Iterator[NodeImage]:
    for entry in file.root.items('openStackNodeImages') if file.root is not None else ():
        name = entry.value('createOpts', 'name')
        version = IN_NAME.search(name)
        yield NodeImage(
            form='cspo',
            name=name,
            version=parse_kubernetes(version[0]) if version else None,
            owner=entry,
            url=entry.get('url'),
            checksum=None,
            algorithm='',
            place=_in_file(file),
        )
