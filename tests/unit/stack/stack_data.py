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


def write(directory: Path, files: dict[str, str]) -> Path:
    """Write files below a directory, which is returned."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8', newline='')
    return directory


# The public stack providers/openstack/scs2 at commit a931cdb: digest and path of its files, and csctl's hashes of them.
SCS2 = """\
13dfaff5a7501a6e8b0829e513122ce7e96c346fa9e59698e14223b1d12c4ea5  README.md
5cd0378ce606c3b491139a370c78c191490f8cae79a0f10e27a3d92566a5bb70  cluster-addon/ccm/Chart.yaml
3b73c55968dc200f084e1c5e8cbc31064d540fdb6188c0f6022e63321bb7b53b  cluster-addon/ccm/overwrite.yaml
b7848cbc58eac0130b1bec308ae50957c285a0f2b9e0ec01f3a3fdc5622e5ad2  cluster-addon/ccm/values.yaml
b946b8cc570f4b886bdbd1d7976abf6ee385ac43aa4f63c23b56b769dfd52ca9  cluster-addon/cni/Chart.yaml
541ed61de6cec495a2dfc0ece45938e2ab0c4cb3b1f760e23298626ca6834130  cluster-addon/cni/values.yaml
3166341e6b6b921a318bcb4be555a6477713efaf848107271f32e1c810eaef8f  cluster-addon/csi/Chart.yaml
ef03a233641e504cf358ad678738e23cf83aad53351f294c59ae597ba19ab93b  cluster-addon/csi/overwrite.yaml
bfefc53cc93e85a8c78aeb13301493a3b7b43306d4cbc17eae3b22c9577f212b  cluster-addon/csi/values.yaml
f83332300f65b5933ad85325c18379484378e22e4ec3ee49bf6dc7847a39eb9f  cluster-addon/metrics-server/Chart.yaml
7cab5e73baf134656594df67874edf2fdf2628317124e3f939d1758b9bb6a9d3  cluster-addon/metrics-server/overwrite.yaml
ea80fe0c18047b18e42aa2c315cdfa19877a6de9c571727350c931898969a143  cluster-addon/metrics-server/values.yaml
bb987e6a8ef45a99255d1d632812482d5f0f3255ea841520b4d90342df5fe2b3  cluster-class/.helmignore
6b5fbe993de369ecd6b44e3465e3ba4db2c5dae06bcc6cbd93034d71933bb97d  cluster-class/Chart.yaml
d3481054216af4bc13c20f2caf0c5e7d540706e7d243baf9b078c14564f781f5  cluster-class/templates/_helpers.tpl
508d59faa07bd534b70211b53ee5c50a345e34bf9cfa41f03e8b4fd57851c9ce  cluster-class/templates/cluster-class.yaml
0ea691971cf66ba47f4d91ffe98758186423eb16df4ccca688b4af6144d98bdc  cluster-class/templates/kubeadm-config-template-worker-openstack.yaml
3ae47d0a324b3efb8b4163040f7513224f241d7f0322dd1661aabb24878536f2  cluster-class/templates/kubeadm-control-plane-template.yaml
8802653268bb90707c1de27f2dcd30f69af76086dc4382e57ba1792a43959fee  cluster-class/templates/openstack-cluster-template.yaml
97c401134f0d6fe66b4f6df00684cf1d83c02ba872be83a250b557881497598b  cluster-class/templates/openstack-machine-template-control-plane.yaml
143baaf718993a58b898dabbbcdc669069bb0f04832ea1966a251c25661da147  cluster-class/templates/openstack-machine-template-worker.yaml
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  cluster-class/values.yaml
d4e488d3fc69528b2f606710ae81577b4474d7569107f07d989f22f574d74204  clusteraddon.yaml
30a7ceedd636b71ae6ccb828bba419bc7263a3c4f2483f647966345907347dc3  csctl.yaml
dffc32226cb561528058c233284a6ecf830b652eb29c54e963324c2b4e62d47b  image.yaml
1a1c45bb79a46e9675ab2e5a90533d87b7e30d6be6c7a2daf1877e5bb4750d36  kubernetes.yaml
c0d392933cdd258332ace76b57431e2c368012f47a19546b3d85e37a0fc088b2  versions.yaml
"""
SCS2_HASH = 'azlfam7rgn823z07ougej26xmpzsohlj0tvr4s0njis'
SCS2_ADDON_DIR = 'nyri1zqevggdxycpit5d14z5s9jiejevrtol6v39i'
