"""User data as Cluster API's kubeadm provider writes it, for machines without Cluster API."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import tarfile
import textwrap
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

TOKEN = 'abcdef.0123456789abcdef'
SUCCESS = '/run/cluster-api/bootstrap-success.complete'
NODE = """\
nodeRegistration:
  name: '{{ local_hostname }}'
  kubeletExtraArgs:
  - {name: provider-id, value: 'openstack:///{{ instance_id }}'}
"""


@dataclass(frozen=True)
class Pair:
    """Certificate and key in PEM; public: the key's public half in DER."""

    certificate: str
    key: str
    public: bytes


def authority(name: str) -> Pair:
    """A certificate authority of its own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    usage = x509.KeyUsage(True, False, True, False, False, True, True, False, False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ).decode(),
        key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
    )


# kubeadm's own are a minute for a call and four for a start: too short in a translated machine (sandbox/README.md).
LIMITS = """\
timeouts: {kubernetesAPICall: 8m, controlPlaneComponentHealthCheck: 8m, kubeletHealthCheck: 8m, tlsBootstrap: 8m}
"""


@dataclass(frozen=True)
class Cluster:
    """A cluster before its first machine. endpoint: address and port of its API. version: 'v1.34.10'."""

    endpoint: str
    version: str
    ca: Pair

    def init(self) -> str:
        """User data of the first control plane, base64."""
        configuration = (
            '---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nclusterName: test\n'
            f'controlPlaneEndpoint: {self.endpoint}\nkubernetesVersion: {self.version}\n'
            'networking: {dnsDomain: cluster.local, podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/12}\n'
            '---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nbootstrapTokens:\n'
            f"- token: {TOKEN}\n  groups: ['system:bootstrappers:kubeadm:default-node-token']\n" + NODE + LIMITS
        )
        files = [
            ('/etc/kubernetes/pki/ca.crt', '0640', self.ca.certificate),
            ('/etc/kubernetes/pki/ca.key', '0600', self.ca.key),
            ('/run/kubeadm/kubeadm.yaml', '0640', configuration),
        ]
        return user_data(files, 'kubeadm init --config /run/kubeadm/kubeadm.yaml')

    def join(self) -> str:
        """User data of a worker, base64."""
        pinned = hashlib.sha256(self.ca.public).hexdigest()
        configuration = (
            '---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\ndiscovery:\n  bootstrapToken:\n'
            f"    apiServerEndpoint: {self.endpoint}\n    token: {TOKEN}\n    caCertHashes: ['sha256:{pinned}']\n"
            + NODE
            + LIMITS
        )
        path = '/run/kubeadm/kubeadm-join-config.yaml'
        return user_data([(path, '0640', configuration)], f'kubeadm join --config {path}')


def user_data(files: list[tuple[str, str, str]], command: str) -> str:
    """cloud-config with files (path, permissions, content) and one command, base64."""
    rows = ['## template: jinja', '#cloud-config', '', 'write_files:']
    for path, mode, content in [*files, ('/run/cluster-api/placeholder', '0640', 'placeholder\n')]:
        rows += [f'-   path: {path}', '    owner: root:root', f"    permissions: '{mode}'", '    content: |']
        rows.append(textwrap.indent(content.rstrip('\n'), '      '))
    rows += ['runcmd:', f"  - '{command}  && echo success > {SUCCESS}'", '']
    return base64.b64encode('\n'.join(rows).encode()).decode()


def copy_image(archive: Path, name: str, layout: Path, tag: str) -> None:
    """Copy one image of an archive of images into an OCI layout of its own, under a tag."""
    (layout / 'blobs/sha256').mkdir(parents=True)
    with tarfile.open(archive) as opened:

        def copied(digest: str) -> bytes:
            path = f'blobs/sha256/{digest.removeprefix("sha256:")}'
            file = opened.extractfile(path)
            assert file is not None, path
            content = file.read()
            (layout / path).write_bytes(content)
            return content

        index = opened.extractfile('index.json')
        assert index is not None
        entries = json.loads(index.read())['manifests']
        image = next(entry for entry in entries if f'/{name}:' in str(entry['annotations']))
        manifest = json.loads(copied(image['digest']))
        for part in (manifest['config'], *manifest['layers']):
            copied(part['digest'])
    entry = {**image, 'annotations': {'org.opencontainers.image.ref.name': tag}}
    (layout / 'index.json').write_text(json.dumps({'schemaVersion': 2, 'manifests': [entry]}))
