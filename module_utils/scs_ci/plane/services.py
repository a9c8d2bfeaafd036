"""The services of a plane: program, arguments, environment and ports, as data."""

from __future__ import annotations

from pathlib import Path

from ..core.files import write_atomic
from . import programs, trust
from .layout import ETCD, ETCD_PEER, LOOPBACK, REGISTRY, REPOSITORY, Layout, Port, Settings
from .manifests import COMPONENTS, HOOK_PORT
from .processes import Service

# With the default of 20 requests per second everything waits for the client, not for the server.
FAST = ('--kube-api-qps=500', '--kube-api-burst=1000')
# A plane lives for hours and has no objects of older versions. To look for some, every provider would write to each of
# its definitions, and the API server would make all that belongs to them anew: a quarter of its work at a first start.
UNMIGRATED = ('--skip-crd-migration-phases=StorageVersionMigration', '--skip-crd-migration-phases=CleanupManagedFields')
# How many objects of one kind CSO works on at once: versions of a run are independent of each other.
CSO_CONCURRENCY = 4
ALWAYS_DIRECT = 'localhost,127.0.0.1'

# name: program, health port, further flags
CONTROLLERS: dict[str, tuple[str, int, tuple[str, ...]]] = {
    'capi': ('capi-core', 9541, ('--feature-gates=ClusterTopology=true,RuntimeSDK=true',)),
    'cabpk': ('capi-kubeadm-bootstrap', 9641, ()),
    'kcp': ('capi-kubeadm-control-plane', 9741, ('--feature-gates=ClusterTopology=true',)),
    'capo': ('capo', 9841, ()),
}
# Ports on all addresses, without a flag to change that; the last three are CSO's hooks and metrics.
OPEN_PORTS = (*(c.port for c in COMPONENTS.values() if c.port), HOOK_PORT, 8080)
HEALTH_PORTS = (*(health for _, health, _ in CONTROLLERS.values()), 9941, 9440)
SYSTEM_PATH = '/usr/local/bin:/usr/bin:/bin'


def etcd(layout: Layout, settings: Settings) -> Service:
    argv = (
        _program(settings, 'etcd'),
        *('--name=plane', f'--data-dir={layout.state}/etcd', '--log-level=warn'),
        *(f'--listen-client-urls={ETCD}', f'--advertise-client-urls={ETCD}'),
        *(f'--listen-peer-urls={ETCD_PEER}', f'--initial-advertise-peer-urls={ETCD_PEER}'),
        f'--initial-cluster=plane={ETCD_PEER}',
        '--unsafe-no-fsync',  # a plane is worth nothing after a crash of the host; fsync costs seconds at start
    )
    return Service('etcd', argv, ports=(Port(2379, 'clients'), Port(2380, 'peers')), layer=2)


def apiserver(layout: Layout, settings: Settings) -> Service:
    pki = layout.pki
    argv = (
        _program(settings, 'kube-apiserver'),
        *(f'--etcd-servers={ETCD}', f'--bind-address={LOOPBACK}', f'--advertise-address={LOOPBACK}'),
        *('--secure-port=6443', f'--cert-dir={pki}', f'--client-ca-file={pki}/ca.crt'),
        *(f'--tls-cert-file={pki}/server.crt', f'--tls-private-key-file={pki}/server.key'),
        *('--authorization-mode=RBAC', '--service-cluster-ip-range=10.0.0.0/24', '--allow-privileged'),
        *(f'--service-account-issuer=https://{LOOPBACK}', f'--service-account-key-file={pki}/sa.pub'),
        f'--service-account-signing-key-file={pki}/sa.key',
        '--disable-admission-plugins=ServiceAccount',  # there are no pods and no token controller
    )
    # Garbage at Go's default of 100 %: at 75 % a start takes a quarter more processor time and saves 60 MiB of 540, at
    # 150 % it takes the same and 90 MiB more.
    return Service('apiserver', argv, ports=(Port(6443, 'Kubernetes API'),), layer=1)


def registry(layout: Layout, settings: Settings) -> Service:
    """OCI registry (distribution) for candidates; its configuration is one file."""
    config = layout.state / 'registry.yaml'
    write_atomic(
        config,
        f"""version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: "{layout.state}/registry"}}
  delete: {{enabled: true}}
http:
  addr: "{REGISTRY}"
  tls: {{certificate: "{layout.pki}/server.crt", key: "{layout.pki}/server.key"}}
""",
    )
    argv = (_program(settings, 'registry'), 'serve', str(config))
    # Its exporter of traces insists on a collector at localhost:4318 unless it is told that there is none.
    return Service('registry', argv, {'OTEL_TRACES_EXPORTER': 'none'}, (Port(5443, 'OCI registry'),), reads=(config,))


def controller_manager(layout: Layout, settings: Settings) -> Service:
    argv = (
        _program(settings, 'kube-controller-manager'),
        *(f'--kubeconfig={layout.kubeconfig}', '--leader-elect=false', f'--bind-address={LOOPBACK}'),
        *('--secure-port=10257', f'--cert-dir={layout.serving("kcm")}'),
        # Deletion of Clusters and namespaces hangs without these two; the others serve pods and nodes.
        '--controllers=garbage-collector-controller,namespace-controller',
    )
    return Service('kcm', argv, ports=(Port(10257, 'health'),))


def controller(name: str, layout: Layout, settings: Settings) -> Service:
    """A manager of Cluster API or CAPO. Its webhook server listens on all addresses; there is no flag for that."""
    program, health, flags = CONTROLLERS[name]
    webhook = COMPONENTS[name].port
    serving = trust.serving_directory(layout, layout.serving(name))
    argv = (
        _program(settings, program),
        *(f'--kubeconfig={layout.kubeconfig}', f'--webhook-port={webhook}', f'--webhook-cert-dir={serving}'),
        *(f'--health-addr={LOOPBACK}:{health}', '--diagnostics-address=0', *FAST, *UNMIGRATED, *flags),
    )
    ports = (Port(webhook, 'webhooks', open=True), Port(health, 'health'))
    return Service(name, argv, {'SSL_CERT_FILE': str(layout.bundle)}, ports, health, reads=(layout.bundle,))


def orc(layout: Layout, settings: Settings) -> Service:
    argv = (
        _program(settings, 'orc'),
        f'--kubeconfig={layout.kubeconfig}',
        *(f'--health-probe-bind-address={LOOPBACK}:9941', '--metrics-bind-address=0'),
    )
    return Service(
        'orc', argv, {'SSL_CERT_FILE': str(layout.bundle)}, (Port(9941, 'health'),), 9941, reads=(layout.bundle,)
    )


def cso(layout: Layout, settings: Settings) -> Service:
    """The cluster stack operator. Webhook port 9443 and metrics port 8080 are fixed in it, both on all addresses."""
    temporary = layout.temporary('cso')
    trust.serving_directory(layout, temporary / 'k8s-webhook-server' / 'serving-certs')
    hooks = trust.serving_directory(layout, layout.serving('cso-hook'))
    argv = (
        str(programs.path_of(Path(settings.tools), 'cso', settings.cso)),
        *(f'--kubeconfig={layout.kubeconfig}', '--source=oci', '--leader-elect=false'),
        *(f'--release-dir={layout.state}/cso-releases/', f'--hook-cert-dir={hooks}/', f'--hook-port={HOOK_PORT}'),
        *(f'--health-probe-bind-address={LOOPBACK}:9440', '--log-level=debug', '--qps=500', '--burst=1000'),
        f'--clusterstack-concurrency={CSO_CONCURRENCY}',
        f'--clusterstackrelease-concurrency={CSO_CONCURRENCY}',
        f'--clusteraddon-concurrency={CSO_CONCURRENCY}',
    )
    ports = (
        Port(COMPONENTS['cso'].port, 'webhooks', open=True),
        Port(HOOK_PORT, 'hooks', open=True),
        Port(8080, 'metrics', open=True),
        Port(9440, 'health'),
    )
    return Service('cso', argv, _cso_environment(layout, settings, temporary), ports, 9440, reads=(layout.bundle,))


def _cso_environment(layout: Layout, settings: Settings, temporary: Path) -> dict[str, str]:
    helm = str(layout.state / 'helm')
    env = {
        'TMPDIR': str(temporary),
        'OCI_REGISTRY': REGISTRY,
        'OCI_REPOSITORY': REPOSITORY,
        'SSL_CERT_FILE': str(layout.bundle),
        **{f'HELM_{kind}_HOME': helm for kind in ('CACHE', 'CONFIG', 'DATA')},
        'PATH': f'{_updating_helm(layout, settings)}:{SYSTEM_PATH}',
    }
    if settings.https_proxy:
        # Go exempts loopback by itself, but the clusters' API servers are elsewhere: the caller names them.
        direct = ','.join(filter(None, (ALWAYS_DIRECT, settings.no_proxy)))
        env |= {'HTTPS_PROXY': settings.https_proxy, 'NO_PROXY': direct}
    return env


def _updating_helm(layout: Layout, settings: Settings) -> Path:
    """A directory with a `helm` that fetches missing charts while it renders.

    CSO asks for that itself since v0.2.0-alpha.0; older ones (the newest that builds everywhere) do not, and fail on
    stacks without vendored charts.
    """
    folder = layout.state / 'helm' / 'bin'
    script = f"""#!/bin/sh
case "$1 $*" in
  template*--dependency-update*) ;;
  template*) shift; set -- template --dependency-update "$@" ;;
esac
exec "{_program(settings, 'helm')}" "$@"
"""
    if not (folder / 'helm').exists() or (folder / 'helm').read_text() != script:
        write_atomic(folder / 'helm', script, 0o755)
    return folder


def _program(settings: Settings, name: str) -> str:
    return str(programs.path_of(Path(settings.tools), name))
