"""Content of a release directory, made from the files of a stack. Pure, but for packing the class chart."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..core.errors import ProductProblem, UsageProblem
from . import archive
from .model import ADDON_CONFIG, ADDON_DIR, CLASS_DIR, LAYOUT_B, Stack
from .treehash import ADDON_VALUES, Hashes
from .versions import Identity, ReleaseVersion

VERSION_LINE = re.compile(r'(?m)^version:[ \t]*[^\r\n]*')
NODE_IMAGES, RELEASED_NODE_IMAGES = 'node-images/config.yaml', 'node-images.yaml'


@dataclass(frozen=True)
class Versions:
    """The three versions of a release."""

    stack: ReleaseVersion
    addon: ReleaseVersion
    node_image: ReleaseVersion

    @classmethod
    def all_equal(cls, version: ReleaseVersion) -> Versions:
        return cls(version, version, version)


def hash_versions(hashes: Hashes) -> Versions:
    """Versions in hash mode: v0-sha.<7> for all components."""
    return Versions.all_equal(ReleaseVersion(0, 'sha', hashes.suffix))


def demand_identity(stack: Stack) -> Identity:
    """The identity of a stack that can be released; ProductProblem or UsageProblem names what its declaration lacks."""
    identity = stack.identity
    for what, stated in (('provider', stack.provider), ('stack name', stack.name), ('version', stack.kubernetes)):
        if not stated.text:
            raise ProductProblem('cannot release', f'stack {stack.path}', f'{stated.file} states no {what}', 'add it')
    place = f'{stack.kubernetes.file}:{stack.kubernetes.line}'
    if identity is None:
        answer = f'{place} states Kubernetes version {stack.kubernetes.text!r}'
        raise ProductProblem('cannot release', f'stack {stack.path}', answer, 'write it as vX.Y.Z')
    if identity.kubernetes.patch is None:
        answer = f'{place} states only {identity.kubernetes}, and no image list beside the stack has a patch of it'
        # Layout B may leave the patch open; not to know it here is no defect of the stack.
        kind = UsageProblem if stack.layout == LAYOUT_B else ProductProblem
        raise kind('cannot release', f'stack {stack.path}', answer, 'state the full version')
    if '-' in identity.provider + identity.name:
        answer = f'provider {identity.provider!r} or name {identity.name!r} has a dash, so its tags cannot be read back'
        raise ProductProblem('cannot release', f'stack {stack.path}', answer, 'rename it without dashes')
    return identity


def metadata(identity: Identity, versions: Versions) -> str:
    """metadata.yaml, byte for byte as csctl writes it; the node image version is always there, for CSO demands it."""
    return (
        'apiVersion: metadata.clusterstack.x-k8s.io/v1alpha1\n'
        'versions:\n'
        f'    clusterStack: {versions.stack.dotted}\n'
        f'    kubernetes: {identity.kubernetes}\n'
        '    components:\n'
        f'        clusterAddon: {versions.addon.dotted}\n'
        f'        nodeImage: {versions.node_image.dotted}\n'
    )


def hashes_json(hashes: Hashes) -> str:
    """hashes.json, byte for byte as csctl writes it."""
    content = {
        'clusterStack': hashes.cluster_stack,
        'clusterAddonDir': hashes.addon_dir,
        'clusterAddonValues': hashes.addon_values,
    }
    if hashes.node_image_dir:
        content['nodeImageDir'] = hashes.node_image_dir
    return json.dumps(content, indent=2)


def fill_markers(content: bytes, versions: Versions) -> bytes:
    """Replace csctl's version markers in a text file. Other files and other `<< … >>` stay as they are."""
    if b'<< ' not in content or b'\0' in content:
        return content
    values = {
        b'<< .ClusterClassVersion >>': versions.stack,
        b'<< .ClusterAddonVersion >>': versions.addon,
        b'<< .NodeImageVersion >>': versions.node_image,
    }
    for marker, version in values.items():
        content = content.replace(marker, version.dotted.encode())
    return content


def set_chart_version(chart: bytes, version: ReleaseVersion) -> bytes:
    """Chart.yaml with the version replaced in its place, everything else untouched."""
    text = chart.decode('utf-8', 'surrogateescape')
    replaced, count = VERSION_LINE.subn(f'version: {version.dotted}', text, count=1)
    return (replaced if count else f'{text.rstrip()}\nversion: {version.dotted}\n').encode('utf-8', 'surrogateescape')


def below(files: Mapping[str, bytes], directory: str) -> dict[str, bytes]:
    """Files below a directory, by their path below it."""
    prefix = f'{directory}/'
    return {path[len(prefix) :]: content for path, content in files.items() if path.startswith(prefix)}


def class_files(stack: Stack, identity: Identity, versions: Versions) -> dict[str, bytes]:
    """Files of the class chart as they go into its archive: marked, versioned and, in layout B, named."""
    files = {path: fill_markers(content, versions) for path, content in below(stack.files, CLASS_DIR).items()}
    chart = set_chart_version(files['Chart.yaml'], versions.stack)
    if stack.layout == LAYOUT_B:
        chart = re.sub(rb'(?m)^name:[^\r\n]*', f'name: {identity.class_chart}'.encode(), chart, count=1)
    return {**files, 'Chart.yaml': chart}


def addon_files(stack: Stack, versions: Versions) -> dict[str, bytes]:
    """Files of the addon archive, by their path below cluster-addon."""
    files = {path: fill_markers(content, versions) for path, content in below(stack.files, ADDON_DIR).items()}
    if stack.addon_layout == 'single' and 'Chart.yaml' in files:
        files['Chart.yaml'] = set_chart_version(files['Chart.yaml'], versions.addon)
    return files


def addon_config(stack: Stack, versions: Versions) -> dict[str, bytes]:
    """The file that tells CSO about the addons: the new convention wins where a stack has both.

    As with csctl there are markers in that of the older convention only.
    """
    name = ADDON_CONFIG if stack.addon_layout == 'stages' else ADDON_VALUES
    if name not in stack.files:
        return {}
    content = stack.files[name]
    return {name: content if name == ADDON_CONFIG else fill_markers(content, versions)}


def repack(packed: bytes) -> bytes:
    """A chart archive made by helm, with owner, order and times fixed: equal content gives an equal digest."""
    return archive.pack(archive.unpack(packed))
