"""A stack that states its versions everywhere, and a mirror of what can be had."""

from __future__ import annotations

from pathlib import Path

from stack_data import write

from scs_ci.stack.bucket import BUCKET, FORMER, Image, image_name, ubuntu_release
from scs_ci.stack.model import Stack, build_model
from scs_ci.stack.resolve import RELEASES, REPOSITORY, SOURCES
from scs_ci.stack.rule import BASE
from scs_ci.stack.versions import parse_kubernetes

OLD_SUM, NEW_SUM = 'ab' * 32, 'cd' * 32
CCM, CSI = 'openstack-cloud-controller-manager', 'openstack-cinder-csi'
CHART = (
    'apiVersion: v2  # helm\n'
    'name: openstack-demo-1-34-cluster-addon\n'
    'version: v1\n'
    'dependencies:\n'
    '  - {alias: %s, name: %s, repository: https://kubernetes.github.io/cloud-provider-openstack, version: %s}\n'
)
IMAGE = (
    'kind: Image\nmetadata:\n  name: "ubuntu-capi-image-v1.34.7"  # not ubuntu-capi-image-v1.33.4\nspec:\n  resource:\n'
    '    properties:\n      operatingSystem:\n        distro: ubuntu\n        version: "24.04"\n'
    f'    content:\n      download:\n        url: {BUCKET}ubuntu-2404-kube-v1.34/ubuntu-2404-kube-v1.34.7.qcow2\n'
    f'        hash:\n          algorithm: sha256\n          value: {OLD_SUM}\n'
)
TEMPLATE = (
    "kind: Image\nmetadata:\n  name: '{{ .Values.image }}'\nspec:\n  hash:\n    algorithm: sha256\n"
    f'    value: {OLD_SUM}\n  url: {FORMER}ubuntu-2404-kube-v1.34/ubuntu-2404-kube-v1.34.7.qcow2\n'
    "  description: |\n    e.g. ubuntu-capi-image-v1.30.1\n  version: '24.04'\n"
)
LIST = (
    '---\nimages:\n  - name: ubuntu-capi-image\n    separator: "-"\n    versions:\n'
    "      - version: 'v1.33.4'\n"
    f'        url: {BUCKET}ubuntu-2404-kube-v1.33/ubuntu-2404-kube-v1.33.4.qcow2\n'
    f'        checksum: "sha256:{"01" * 32}"\n'
    '        build_date: 2025-12-17\n'
    "      - version: 'v1.34.7'\n"
    f'        url: {BUCKET}ubuntu-2404-kube-v1.34/ubuntu-2404-kube-v1.34.7.qcow2\n'
    f'        checksum: "sha256:{OLD_SUM}"\n'
    '        build_date: 2026-04-16\n'
)
README = (
    '# demo\n\nopenstack-demo-1-33 was the first.\n\n```yaml\nspec:\n  kubernetesVersion: "1.33"\n'
    'class: openstack-demo-1-34-v1\nversion: v1.34.1\n```\n'
)
TABLE = (
    '# tested\n- kubernetes: 1.33.4\n  cinder_csi: 2.33.1\n  occm: 2.33.1\n'
    '- kubernetes: 1.34.7  # newest\n  cinder_csi: 2.34.1\n  occm: 2.34.1\n'
)
FILES = {
    **BASE,
    'csctl.yaml': '# read by csctl\n' + BASE['csctl.yaml'].replace('v1.34.7', '"v1.34.7"   # the version'),
    'cluster-class/Chart.yaml': BASE['cluster-class/Chart.yaml'].replace('\n', '\r\n'),
    'cluster-class/templates/image.yaml': TEMPLATE,
    'cluster-class/values.yaml': 'image: ubuntu-capi-image-v1.34.7\n',
    'cluster-addon/ccm/Chart.yaml': CHART % (CCM, CCM, '2.34.1'),
    'cluster-addon/csi/Chart.yaml': CHART % (CSI, CSI, '~2.34.0'),
    'image.yaml': IMAGE,
    'kubernetes.yaml': LIST,
    'versions.yaml': TABLE,
    'README.md': README,
}


def stack(
    changes: dict[str, str | None] | None = None, layout: str = 'A', shared: dict[str, str] | None = None
) -> Stack:
    """The stack with some files replaced; None removes one."""
    texts = {**FILES, **(changes or {})}
    files = {name: text.encode() for name, text in sorted(texts.items()) if text is not None}
    beside = {name: text.encode() for name, text in (shared or {}).items()}
    return build_model('providers/openstack/demo', layout, files, shared=beside)


def image(version: str, date: str = '2026-06-20') -> Image:
    """The node image of a version in the bucket."""
    parsed = parse_kubernetes(version)
    assert parsed
    ubuntu = ubuntu_release(parsed)
    return Image(parsed, BUCKET + image_name(parsed, ubuntu), NEW_SUM, ubuntu, date)


def mirror(directory: Path, *versions: str, released: str = '') -> Path:
    """A directory laid out like the network, with images of these versions; the last one of a minor is its newest."""
    texts: dict[str, str] = {}
    for version in versions:
        one = image(version)
        texts[f'{one.url}.CHECKSUM'] = f'{NEW_SUM}  {one.url.rsplit("/", 1)[-1]}\n'
        texts[f'{BUCKET}last-{one.version.dotted_minor}'] = f'2026-06-20 {one.url.removeprefix(BUCKET)}\n'
        texts[f'{RELEASES}stable-{one.version.dotted_minor}.txt'] = released or version
    entries = {CCM: ('2.34.2', '2.34.1', '2.33.1', '2.35.0'), CSI: ('2.34.3', '2.34.1', '2.33.1', '2.35.0')}
    lines = [f'  {name}:\n' + ''.join(f'  - version: {v}\n' for v in found) for name, found in entries.items()]
    texts[f'{REPOSITORY}/index.yaml'] = 'apiVersion: v1\nentries:\n' + ''.join(lines) + 'generated: "2026-11-27"\n'
    texts[f'{SOURCES}/tags'] = f'{CCM}-2.34.3\n'
    return write(directory, {address.removeprefix('https://'): text for address, text in texts.items()})
