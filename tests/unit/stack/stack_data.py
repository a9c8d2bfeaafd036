"""Stacks for the tests: the worked example of csctl's hash, and the examples of the rules on disk."""

from __future__ import annotations

from pathlib import Path

# The directory whose hash csctl and an independent implementation computed; every line ends with LF.
DEMO = {
    'cluster-addon-values.yaml': 'values: ""\n',
    'cluster-addon/cni/Chart.yaml': 'apiVersion: v2\nname: CNI\nversion: v1\n',
    'cluster-class/Chart.yaml': 'apiVersion: v2\nname: docker-demo-1-34-cluster-class\nversion: v1\n',
    'cluster-class/templates/_helpers.tpl': '',
    'clusteraddon.yaml': (
        'apiVersion: clusteraddonconfig.x-k8s.io/v1alpha1\n'
        'clusterAddonVersion: clusteraddons.clusterstack.x-k8s.io/v1alpha1\n'
        'addonStages:\n'
        '  AfterControlPlaneInitialized:\n'
        '    - name: cni\n'
        '      action: apply\n'
    ),
    'csctl.yaml': (
        'apiVersion: csctl.clusterstack.x-k8s.io/v1alpha1\n'
        'config:\n'
        '  clusterStackName: demo\n'
        '  kubernetesVersion: v1.34.7\n'
        '  provider:\n'
        '    apiVersion: docker.csctl.clusterstack.x-k8s.io/v1alpha1\n'
        '    type: docker\n'
    ),
}
DEMO_HASH = 'g8gjzlq1rie8snp9s3fcxl2dnr4ro3t8ye1bm3wwvdq'
DEMO_ADDON_DIR = 'c2qt8dlxbejxezzcx8adcwbepq8guxei2trw80idpfu'
DEMO_ADDON_VALUES = 'rp499odpv3tzpdv02fvi46wupea80o5u4eal4zg6aw'

# Lists node images beside the minors of layout B.
MANAGER = 'images:\n  - versions:\n      - version: v1.35.3\n      - version: v1.35.10\n      - version: v1.36.1\n'


def write(directory: Path, files: dict[str, str]) -> Path:
    """Write files below a directory, which is returned."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8', newline='')
    return directory


# The public stack providers/openstack/scs2 at commit a931cdb: digest and path of its files, and csctl's hashes of them.
SCS2 = (Path(__file__).parent / 'scs2.sha256').read_text()
SCS2_HASH = 'azlfam7rgn823z07ougej26xmpzsohlj0tvr4s0njis'
SCS2_ADDON_DIR = 'nyri1zqevggdxycpit5d14z5s9jiejevrtol6v39i'
