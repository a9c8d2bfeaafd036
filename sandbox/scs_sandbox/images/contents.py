"""Which container images a Kubernetes version needs, and what is in each of them.

Names and tags are those that `kubeadm config images list` prints. Contents are our own builds on static Go, so what
differs from the image that a name means elsewhere is said in `simulated`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import SandboxError
from . import files
from .oci import Entry, Image

PROXY_CONFIGURATION = '/var/lib/kube-proxy/config.conf'
# Outside of the host's network namespace nf_conntrack_max cannot be written, and kube-proxy ends when it tries. Zeros
# tell it to leave the setting alone, as kind does by configuration; cluster objects stay as they are.
PROXY_WRAPPER = f"""#!/bin/sh
set -e
changed=/tmp/kube-proxy.conf
for argument in "$@"; do
    shift
    case "$argument" in
    --config={PROXY_CONFIGURATION})
        sed -e 's/maxPerCore: null/maxPerCore: 0/' -e 's/^\\( *\\)min: null/\\1min: 0/' {PROXY_CONFIGURATION} > $changed
        argument=--config=$changed ;;
    esac
    set -- "$@" "$argument"
done
exec /usr/local/bin/kube-proxy.real "$@"
"""
IPTABLES = ('iptables', 'iptables-save', 'iptables-restore', 'ip6tables', 'ip6tables-save', 'ip6tables-restore')
ACCOUNTS = (
    Entry('/etc/passwd', text='root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n'),
    Entry('/etc/group', text='root:x:0:\nnogroup:x:65534:\n'),
    Entry('/etc/nsswitch.conf', text='hosts: files dns\n'),
    Entry('/tmp', 0o1777),
)
# Mains of ours: small ones whose sources no module proxy serves, or that are not Go elsewhere.
OWN = frozenset({'pause', 'csi-node-driver-registrar', 'livenessprobe'})
TOO_OLD = 'build the set of this minor: python3 setup/main.py tools --set node-<minor>'


@dataclass(frozen=True)
class Part:
    """A program of an image: where it is in the container and whether it is what the image starts."""

    program: str
    inside: str
    entrypoint: bool = True


# Name of a repository without its registry -> the program; kubeadm names all of these.
CONTROL_PLANE = {
    'kube-apiserver': Part('kube-apiserver', '/usr/local/bin/kube-apiserver', entrypoint=False),
    'kube-controller-manager': Part('kube-controller-manager', '/usr/local/bin/kube-controller-manager', False),
    'kube-scheduler': Part('kube-scheduler', '/usr/local/bin/kube-scheduler', False),
    'etcd': Part('etcd', '/usr/local/bin/etcd', False),
    'coredns/coredns': Part('coredns', '/coredns'),
    'pause': Part('pause', '/pause'),
}


@dataclass(frozen=True)
class Addon:
    """An image of addons: its name, and its tag when that is not the version of the program.

    tools: whether it has a shell and the packet filter beside the program. simulated: what else is not as named.
    """

    name: str
    part: Part
    tag: str = ''
    tools: bool = False
    simulated: tuple[str, ...] = ()


ADDONS = (
    Addon(
        'registry.k8s.io/provider-os/openstack-cloud-controller-manager',
        # The chart names the program in its arguments, so it must not be the entry point.
        Part('openstack-cloud-controller-manager', '/bin/openstack-cloud-controller-manager', entrypoint=False),
    ),
    Addon('registry.k8s.io/metrics-server/metrics-server', Part('metrics-server', '/metrics-server')),
    Addon(
        'ghcr.io/flannel-io/flannel',
        Part('flanneld', '/opt/bin/flanneld'),
        tools=True,
        simulated=('flannel: subnets from Kubernetes only; no backend ipsec, tencent-vpc, udp, wireguard',),
    ),
    # Flannel 0.27.4's own manifest has the plugin with this tag. No module proxy serves its sources; these are those of
    # the reference plugins' last release that had it.
    Addon('ghcr.io/flannel-io/flannel-cni-plugin', Part('flannel', '/flannel', False), 'v1.8.0-flannel1', tools=True),
)


def addons(programs: Path, versions: Mapping[str, str], debian: Path) -> list[Image]:
    """The images of addons of clusters: cloud controller manager, metrics server, flannel."""
    plain, tools = plain_layer(debian), network_layer(debian)
    result = []
    for addon in ADDONS:
        reference = f'{addon.name}:{addon.tag or versions[addon.part.program]}'
        image = single(reference, addon.part, programs, versions, tools if addon.tools else plain)
        result.append(replace(image, simulated=(*image.simulated, *addon.simulated)))
    return result


def images(references: Sequence[str], programs: Path, versions: Mapping[str, str], debian: Path) -> list[Image]:
    """The images behind `references`.

    references: names with tags, as kubeadm prints them. programs: directory with the programs. versions: program ->
    version as in versions.json. debian: tree of unpacked packages (files.ensure). Raises SandboxError for a name that
    nobody here can make.
    """
    base = plain_layer(debian)
    result = []
    for reference in references:
        repository = reference.rpartition(':')[0].partition('/')[2]
        if repository == 'kube-proxy':
            result.append(kube_proxy(reference, programs, versions, debian))
        elif repository in CONTROL_PLANE:
            result.append(single(reference, CONTROL_PLANE[repository], programs, versions, base))
        else:
            known = ', '.join(('kube-proxy', *CONTROL_PLANE))
            raise SandboxError(
                'cannot make image', reference, f'known are only {known}', 'add it to images/contents.py'
            )
    return result


def single(reference: str, part: Part, programs: Path, versions: Mapping[str, str], base: tuple[Entry, ...]) -> Image:
    """An image with one static program on the common base."""
    program = _program(part.program, programs)
    return Image(
        references=(reference,),
        layers=(base, (Entry(part.inside, 0o755, source=program),)),
        entrypoint=(part.inside,) if part.entrypoint else (),
        command=() if part.entrypoint else (part.inside,),
        simulated=stand_in(reference, part.program, versions),
    )


def kube_proxy(reference: str, programs: Path, versions: Mapping[str, str], debian: Path) -> Image:
    """kube-proxy with the programs that it calls, behind the wrapper."""
    own = (
        Entry('/usr/local/bin/kube-proxy', 0o755, text=PROXY_WRAPPER),
        Entry('/usr/local/bin/kube-proxy.real', 0o755, source=_program('kube-proxy', programs)),
    )
    return Image(
        references=(reference,),
        layers=(network_layer(debian), own),
        command=('/usr/local/bin/kube-proxy',),
        simulated=(*stand_in(reference, 'kube-proxy', versions), 'kube-proxy: conntrack limits are left alone'),
    )


def debian_layer(tree: Path) -> tuple[Entry, ...]:
    """The packages with what their scripts would have made: links of busybox."""
    entries = {entry.path: entry for entry in (*files.entries(tree), *ACCOUNTS)}
    # Where the distribution has merged /bin into /usr/bin, /bin is a link to it, so /bin/sh is there in both cases.
    shells = '/usr/bin' if (tree / 'bin').is_symlink() else '/bin'
    for name in files.applets(tree):
        if not any(f'{place}/{name}' in entries for place in ('/bin', '/usr/bin', '/sbin', '/usr/sbin')):
            entries[f'{shells}/{name}'] = Entry(f'{shells}/{name}', link='busybox')
    certificates = '/etc/ssl/certs/ca-certificates.crt'
    entries[certificates] = Entry(certificates, text=files.certificates(tree))
    return tuple(entries.values())


def network_layer(tree: Path) -> tuple[Entry, ...]:
    """The packages with what else a script would have made for programs of networks: links of iptables."""
    return (*debian_layer(tree), *(Entry(f'/usr/sbin/{name}', link='xtables-nft-multi') for name in IPTABLES))


def plain_layer(debian: Path) -> tuple[Entry, ...]:
    """What a static program needs beside itself."""
    return (*ACCOUNTS, Entry('/etc/ssl/certs/ca-certificates.crt', text=files.certificates(debian)))


def stand_in(reference: str, program: str, versions: Mapping[str, str]) -> tuple[str, ...]:
    """What is to be said when the program has another version than the tag: `etcd 3.6.14 as 3.6.5-0`."""
    tag = reference.rpartition(':')[2]
    version = versions[program]
    if program in OWN:
        return (f'{program}: a program of the sandbox',)
    # Tags of etcd are versions without v and with the number of a build: 3.6.5-0.
    return (
        ()
        if tag.removeprefix('v').partition('-')[0] == version.removeprefix('v')
        else (f'{program} {version} as {tag}',)
    )


def _program(name: str, directory: Path) -> Path:
    path = directory / name
    if not path.is_file():
        raise SandboxError('cannot make image', name, f'{directory} holds no such program', TOO_OLD)
    return path
