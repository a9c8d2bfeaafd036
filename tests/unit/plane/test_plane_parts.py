"""Pure parts of the management plane: conditions, services as data, definitions, existing clusters, status as text."""

from __future__ import annotations

import base64
import contextlib
import datetime
import re
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from scs_ci.core.errors import InfrastructureProblem, ToolProblem, UsageProblem
from scs_ci.plane import certificates, components, existing, manifests, programs, services, trust
from scs_ci.plane.conditions import condition, false_conditions, is_current, is_true
from scs_ci.plane.layout import REPOSITORY, Layout, Settings
from scs_ci.plane.status import ProcessStatus, Status, reason, table

pytestmark = pytest.mark.unit

NOW = datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC)


def obj(*conditions: dict[str, Any], generation: int = 1) -> dict[str, Any]:
    return {'metadata': {'generation': generation}, 'status': {'conditions': list(conditions)}}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(tmp_path / 'state')
    certificates.make(found, NOW)
    trust.write_bundle(found)
    return found


class TestConditions:
    def test_absent_object_and_absent_condition(self) -> None:
        assert condition(None, 'Ready') == {}
        assert not is_true({'status': {}}, 'Ready')
        assert false_conditions(None) == []

    def test_false_before_unknown_and_oldest_first(self) -> None:
        found = false_conditions(
            obj(
                {'type': 'A', 'status': 'Unknown', 'lastTransitionTime': '2026-01-01'},
                {'type': 'B', 'status': 'False', 'lastTransitionTime': '2026-01-03'},
                {'type': 'C', 'status': 'False', 'lastTransitionTime': '2026-01-02'},
                {'type': 'D', 'status': 'True'},
            )
        )
        assert [c['type'] for c in found] == ['C', 'B', 'A']

    @pytest.mark.parametrize(('seen', 'expected'), [(1, False), (2, True), (None, True)])
    def test_generation(self, seen: int | None, expected: bool) -> None:
        entry = {'type': 'Ready', 'status': 'True'} | ({} if seen is None else {'observedGeneration': seen})
        assert is_current(obj(entry, generation=2), 'Ready') is expected


class TestCertificates:
    def test_made_once(self, layout: Layout) -> None:
        assert certificates.make(layout, NOW) is False
        assert (layout.pki / 'ca.key').stat().st_mode & 0o777 == 0o600
        assert (layout.pki / 'admin.key').stat().st_mode & 0o777 == 0o600

    def test_made_again_before_they_expire(self, layout: Layout) -> None:
        assert certificates.make(layout, NOW + datetime.timedelta(days=340)) is True

    @pytest.mark.parametrize('damage', ['admin.crt', 'server.crt'])
    def test_made_again_when_damaged(self, layout: Layout, damage: str) -> None:
        (layout.pki / damage).write_text('not a certificate')
        assert certificates.make(layout, NOW) is True

    def test_made_again_when_of_another_authority(self, layout: Layout, tmp_path: Path) -> None:
        other = Layout(tmp_path / 'other')
        certificates.make(other, NOW)
        (layout.pki / 'admin.crt').write_bytes((other.pki / 'admin.crt').read_bytes())
        assert certificates.make(layout, NOW) is True

    def test_made_again_when_without_identifiers_of_keys(self, layout: Layout) -> None:
        # as planes made them before Python 3.13 asked for them
        old = x509.load_pem_x509_certificate((layout.pki / 'admin.crt').read_bytes())
        key = load_pem_private_key((layout.pki / 'ca.key').read_bytes(), None)
        assert isinstance(key, EllipticCurvePrivateKey)
        bare = x509.CertificateBuilder(
            old.issuer, old.subject, old.public_key(), old.serial_number, NOW, NOW + certificates.VALID
        )
        (layout.pki / 'admin.crt').write_bytes(bare.sign(key, SHA256()).public_bytes(Encoding.PEM))
        assert certificates.make(layout, NOW) is True

    def test_strict_clients_and_servers_trust_them(self, tmp_path: Path) -> None:
        pki = Layout(tmp_path / 'now').pki
        certificates.make(Layout(tmp_path / 'now'), datetime.datetime.now(datetime.UTC))
        sides = []
        for purpose, name in ((ssl.Purpose.SERVER_AUTH, 'admin'), (ssl.Purpose.CLIENT_AUTH, 'server')):
            context = ssl.create_default_context(purpose, cafile=pki / 'ca.crt')
            context.load_cert_chain(pki / f'{name}.crt', pki / f'{name}.key')
            context.verify_mode = ssl.CERT_REQUIRED
            context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default of Python 3.13
            sides.append(context)
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = sides[0].wrap_bio(back, there, server_hostname='127.0.0.1')
        server = sides[1].wrap_bio(there, back, server_side=True)
        for side in (client, server, client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        assert dict(part[0] for part in server.getpeercert()['subject'])['commonName'] == 'scs-ci-plane-admin'
        assert client.version() == 'TLSv1.3'

    def test_server_is_for_loopback_alone(self, layout: Layout) -> None:
        server = x509.load_pem_x509_certificate((layout.pki / 'server.crt').read_bytes())
        names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ['localhost']
        assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ['127.0.0.1']

    def test_bundle_holds_the_proxy_and_the_plane(self, layout: Layout, tmp_path: Path) -> None:
        extra = tmp_path / 'proxy.pem'
        extra.write_text('PROXY-CA\n')
        trust.write_bundle(layout, str(extra))
        text = layout.bundle.read_text()
        assert text.endswith('PROXY-CA\n')
        assert (layout.pki / 'ca.crt').read_text().strip() in text

    def test_unreadable_proxy_ca(self, layout: Layout, tmp_path: Path) -> None:
        with pytest.raises(UsageProblem, match=r'cannot read CA file .*nowhere'):
            trust.write_bundle(layout, str(tmp_path / 'nowhere'))


class TestServices:
    def settings(self, **changes: str) -> Settings:
        return Settings('/tools', **changes)

    def test_operator_takes_the_proxy_but_not_for_clusters(self, layout: Layout) -> None:
        settings = self.settings(https_proxy='http://198.19.0.1:5480', no_proxy='198.18.0.0/15')
        env = services.cso(layout, settings).env
        assert env['HTTPS_PROXY'] == 'http://198.19.0.1:5480'
        assert env['NO_PROXY'].split(',') == ['localhost', '127.0.0.1', '198.18.0.0/15']
        assert env['OCI_REPOSITORY'] == REPOSITORY

    def test_no_proxy_without_one(self, layout: Layout) -> None:
        assert 'HTTPS_PROXY' not in services.cso(layout, self.settings()).env

    def test_another_operator(self, layout: Layout) -> None:
        assert services.cso(layout, self.settings(cso='/elsewhere/cso')).argv[0] == '/elsewhere/cso'

    def test_helm_updates_dependencies(self, layout: Layout) -> None:
        path = services.cso(layout, self.settings()).env['PATH'].split(':')[0]
        helm = Path(path, 'helm')
        assert helm.stat().st_mode & 0o111
        assert '--dependency-update' in helm.read_text()
        assert '/tools/bin/helm' in helm.read_text()

    def test_api_server_stops_before_etcd(self, layout: Layout) -> None:
        settings = self.settings()
        controller = services.controller('capi', layout, settings)
        assert controller.layer < services.apiserver(layout, settings).layer < services.etcd(layout, settings).layer

    def test_every_port_once(self, layout: Layout) -> None:
        settings = self.settings()
        made = [make(layout, settings) for make in (services.etcd, services.apiserver, services.registry, services.cso)]
        made += [services.controller_manager(layout, settings), services.orc(layout, settings)]
        made += [services.controller(name, layout, settings) for name in services.CONTROLLERS]
        ports = [port for service in made for port in service.ports]
        assert len({port.number for port in ports}) == len(ports)
        assert {port.number for port in ports if port.open} == set(services.OPEN_PORTS)
        assert {service.health for service in made if service.health} == set(services.HEALTH_PORTS)

    def test_a_change_changes_the_digest(self, layout: Layout) -> None:
        before = services.cso(layout, self.settings()).digest
        assert services.cso(layout, self.settings()).digest == before
        assert services.cso(layout, self.settings(https_proxy='http://198.19.0.1:5480')).digest != before

    def test_another_proxy_ca_changes_the_digest(self, layout: Layout, tmp_path: Path) -> None:
        before = services.cso(layout, self.settings()).digest
        (tmp_path / 'proxy.pem').write_text('PROXY-CA\n')
        trust.write_bundle(layout, str(tmp_path / 'proxy.pem'))
        assert services.cso(layout, self.settings()).digest != before


KUSTOMIZATION = """
resources: [bases/things.yaml]
commonlabels: {cluster.x-k8s.io/v1beta1: v1beta1}
patches: [{path: patches/webhook_in_things.yaml}, {path: patches/cainjection_in_things.yaml}]
"""
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org, creationTimestamp: null}
spec: {group: example.org}
"""
CONVERSION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec:
  conversion:
    strategy: Webhook
    webhook:
      conversionReviewVersions: [v1]
      clientConfig: {service: {namespace: system, name: webhook-service, path: /convert}}
"""
INJECTION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org, annotations: {cert-manager.io/inject-ca-from: x/y}}
"""
WEBHOOK = """
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: mutating-webhook-configuration}
webhooks:
- name: default.thing.example.org
  clientConfig: {service: {name: webhook-service, namespace: system, path: /mutate-thing}}
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Module sources in miniature, for all components."""
    for name in manifests.COMPONENTS:
        config = tmp_path / 'tools' / 'manifests-src' / name
        for path, text in (
            ('crd/kustomization.yaml', KUSTOMIZATION),
            ('crd/bases/things.yaml', CRD),
            ('crd/patches/webhook_in_things.yaml', CONVERSION),
            ('crd/patches/cainjection_in_things.yaml', INJECTION),
            ('webhook/manifests.yaml', WEBHOOK),
        ):
            (config / path).parent.mkdir(parents=True, exist_ok=True)
            (config / path).write_text(text)
    return tmp_path / 'tools'


class TestManifests:
    def test_definition(self, sources: Path) -> None:
        (crd,) = manifests.definitions(sources / 'manifests-src' / 'capo' / 'crd', 9843)
        assert crd['metadata'] == {'name': 'things.example.org', 'labels': {'cluster.x-k8s.io/v1beta1': 'v1beta1'}}
        config = crd['spec']['conversion']['webhook']['clientConfig']
        assert config == {'url': 'https://127.0.0.1:9843/convert', 'caBundle': manifests.CA}

    def test_webhooks(self, sources: Path) -> None:
        component = manifests.Component('capo', 9843)
        (found,) = manifests.webhook_configurations(sources / 'manifests-src' / 'capo' / 'webhook', component)
        assert found['metadata']['name'] == 'capo-mutating-webhook-configuration'
        assert found['webhooks'][0]['clientConfig']['url'] == 'https://127.0.0.1:9843/mutate-thing'

    def test_loaded_with_the_ca_and_cached(self, sources: Path, layout: Layout) -> None:
        objects = manifests.load(layout, sources)
        ca = base64.b64encode((layout.pki / 'ca.crt').read_bytes()).decode()
        assert len(objects.crds) == 6
        assert len(objects.webhooks) == 5  # ORC has none
        assert objects.extensions[0]['spec']['clientConfig']['caBundle'] == ca
        stamp = layout.manifests.stat().st_mtime_ns
        assert manifests.load(layout, sources) == objects
        assert layout.manifests.stat().st_mtime_ns == stamp

    def test_read_again_when_the_sources_change(self, sources: Path, layout: Layout) -> None:
        manifests.load(layout, sources)
        (sources / 'manifests-src/kcp/crd/bases/things.yaml').write_text(CRD.replace('example.org}', 'example.com}'))
        assert {crd['spec']['group'] for crd in manifests.load(layout, sources).crds} == {'example.org', 'example.com'}

    def test_damaged_cache(self, sources: Path, layout: Layout) -> None:
        layout.manifests.write_text('{')
        assert len(manifests.load(layout, sources).crds) == 6

    def test_missing_sources(self, sources: Path, layout: Layout) -> None:
        (sources / 'manifests-src/orc/crd/kustomization.yaml').unlink()
        with pytest.raises(ToolProblem, match='cannot find manifests of orc'):
            manifests.load(layout, sources)

    def test_broken_sources(self, sources: Path, layout: Layout) -> None:
        (sources / 'manifests-src/orc/crd/bases/things.yaml').write_text('{')
        with pytest.raises(ToolProblem, match='cannot read manifests of orc'):
            manifests.load(layout, sources)


class TestDefinitions:
    def test_written_only_when_different(self) -> None:
        crd = {'metadata': {'name': 'things.example.org'}, 'spec': {'group': 'example.org'}}
        marked = components.marked(crd)
        assert 'annotations' not in crd['metadata']
        assert components.differs(marked, None)
        assert not components.differs(marked, {'annotations': marked['metadata']['annotations']})
        assert components.differs(marked, {'annotations': {components.MARK: 'other'}})
        assert components.differs(marked, {})


def program(path: Path, module: str, version: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'\x7fELF\xff Go buildinf:\x08\x02' + f'\x30path\tx\nmod\t{module}\t{version}\th1:x\n'.encode())
    path.chmod(0o755)


class TestPrograms:
    VERSIONS: dict[str, str] = {  # noqa: RUF012 -- read only
        'etcd': 'v3.6.14',
        'kube-apiserver': 'v1.34.10',
        'kube-controller-manager': 'v1.34.10',
        'capi-core': 'v1.12.10',
        'capi-kubeadm-bootstrap': 'v1.12.10',
        'capi-kubeadm-control-plane': 'v1.12.10',
        'capo': 'v0.14.7',
        'orc': 'v2.6.0',
        'cso': 'v0.1.0-alpha.7',
        'registry': 'v3.1.2',
        'helm': 'v3.19.0',
    }

    @pytest.fixture
    def tools(self, tmp_path: Path) -> Path:
        for name, version in self.VERSIONS.items():
            program(tmp_path / 'bin' / name, 'example.org/x', version)
        return tmp_path

    def test_versions(self, tools: Path) -> None:
        found = programs.versions(tools)
        assert found['cluster-api'] == 'v1.12.10'
        assert found['cluster-stack-operator'] == 'v0.1.0-alpha.7'
        assert len(found) == len(programs.PROGRAMS)

    def test_another_operator(self, tools: Path, tmp_path: Path) -> None:
        program(tmp_path / 'other', 'example.org/x', 'v0.2.0-alpha.1')
        assert programs.versions(tools, str(tmp_path / 'other'))['cluster-stack-operator'] == 'v0.2.0-alpha.1'

    @pytest.mark.parametrize(
        ('name', 'version', 'message'),
        [
            ('capi-core', 'v1.13.0', r'version v1.13.0, known are'),
            ('capi-kubeadm-bootstrap', 'v1.12.9', 'these must be equal'),
            ('kube-controller-manager', 'v1.34.9', 'these must be equal'),
            ('etcd', 'v3.5.1', 'version v3.5.1'),
        ],
    )
    def test_wrong_version(self, tools: Path, name: str, version: str, message: str) -> None:
        program(tools / 'bin' / name, 'example.org/x', version)
        with pytest.raises(ToolProblem, match=message):
            programs.versions(tools)

    def test_missing_program(self, tools: Path) -> None:
        (tools / 'bin' / 'capo').unlink()
        with pytest.raises(ToolProblem, match=r'cannot use program .*/bin/capo'):
            programs.versions(tools)

    @pytest.mark.parametrize('content', [b'', b'#!/bin/sh\n'])
    def test_not_a_go_program(self, tools: Path, content: bytes) -> None:
        (tools / 'bin' / 'orc').write_bytes(content)
        with pytest.raises(ToolProblem, match='orc'):
            programs.versions(tools)

    def test_no_directory_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(programs.VARIABLE, raising=False)
        with pytest.raises(UsageProblem, match='cannot find the Go programs'):
            programs.directory()


class StubApi:
    """Stands for an API server with these kinds, extensions and deployments."""

    server = 'https://mgmt.example.org'

    def __init__(self, served: dict[str, dict[str, bool]], discovered: str = 'True') -> None:
        self.served, self.discovered = served, discovered

    def version(self) -> str:
        return 'v1.34.3'

    def kinds(self, version: str) -> dict[str, bool]:
        return self.served.get(version, {})

    def list(self, api_version: str, kind: str) -> list[dict[str, Any]]:
        if kind == 'ExtensionConfig':
            return [obj({'type': 'Discovered', 'status': self.discovered})]
        images = ('registry.example.org/cluster-api/cluster-api-controller:v1.12.10', 'ghcr.example.org/scs/cso:v0.2.0')
        return [{'spec': {'template': {'spec': {'containers': [{'image': image}]}}}} for image in images]


def everything() -> dict[str, dict[str, bool]]:
    return {version: dict.fromkeys(kinds, True) for version, kinds in existing.NEEDED.items()}


class TestExisting:
    def check(self, api: StubApi) -> dict[str, str]:
        return existing.check(api)  # type: ignore[arg-type]

    def test_good(self) -> None:
        found = self.check(StubApi(everything()))
        assert found == {'kubernetes': 'v1.34.3', 'cluster-api': 'v1.12.10', 'cluster-stack-operator': 'v0.2.0'}

    def test_everything_missing_is_said_at_once(self) -> None:
        served = everything()
        del served['clusterstack.x-k8s.io/v1alpha1']
        del served['openstack.k-orc.cloud/v1alpha1']['Image']
        with pytest.raises(InfrastructureProblem) as caught:
            self.check(StubApi(served))
        assert 'openstack.k-orc.cloud/v1alpha1 Image' in caught.value.answer
        assert 'ClusterStackRelease' in caught.value.answer

    def test_hooks_not_discovered(self) -> None:
        with pytest.raises(InfrastructureProblem, match='ExtensionConfig that is Discovered'):
            self.check(StubApi(everything(), 'False'))

    def test_images_by_digest_and_with_ports(self) -> None:
        image = 'registry.example.org:5000/capi-openstack/capi-openstack-controller:v0.14.7@sha256:abc'
        deployment = {'spec': {'template': {'spec': {'containers': [{'image': image}]}}}}
        assert existing.image_versions([deployment]) == {'cluster-api-provider-openstack': 'v0.14.7'}


def plane_status(*rows: ProcessStatus, ready: bool = False) -> Status:
    return Status('/s', ready, '/s/kubeconfig', REPOSITORY, '/s/ca', '/s/logs', {'etcd': 'v3'}, rows, 7, (9443,))


class TestStatus:
    def test_dead_process_with_its_last_words(self) -> None:
        found = plane_status(
            ProcessStatus('etcd', 'running', 12, 7, 1.5, '/s/logs/etcd.log'),
            ProcessStatus('cso', 'dead', None, 0, 0.0, '/s/logs/cso.log', 'panic: no\ngoroutine 1'),
        )
        text = table(found)
        assert re.search(r'^cso +dead', text, re.MULTILINE)
        assert '\n    panic: no\n    goroutine 1\n' in text
        assert 'NOT READY' in text
        assert reason(found) == 'not running: cso'

    def test_running_but_not_answering(self) -> None:
        assert 'not all of them answer' in reason(plane_status(ProcessStatus('etcd', 'running', 1, 1, 1.0, '/l')))
