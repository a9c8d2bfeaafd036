"""Images that conformance specs of Kubernetes run in clusters: agnhost of its sources, the rest of Debian's packages.

Names and tags are those that `e2e.test --list-images` prints; an image that specs want and that is not here ends in
ImagePullBackOff. What is a stand-in says so in `simulated`, as 'test image NAME: ...': conformance reports read that.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ..errors import SandboxError
from .contents import debian_layer
from .oci import Entry, Image

REGISTRY = 'registry.k8s.io/e2e-test-images'
PROGRAM = 'agnhost'
# What specs call in containers.
PACKAGES = (
    'base-files',
    'bash',
    'bind9-dnsutils',
    'busybox',
    'ca-certificates',
    'coreutils',
    'curl',
    'iproute2',
    'libc-bin',  # getent
    'libc6',
    'netbase',
    'netcat-openbsd',
)
# A script of base-files makes it: without it, who looks for a host may ask a server before the file of the pod.
NAMES = 'passwd: files\ngroup: files\nhosts: files dns\n'
# Users and groups that specs ask the image of agnhost for.
PASSWD = (
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n'
    'user-defined-in-image:x:1000:1000::/:/bin/sh\n'
)
GROUP = (
    'root:x:0:\nnogroup:x:65534:\nuser-defined-in-image:x:1000:\ngroup-defined-in-image:x:50000:user-defined-in-image\n'
)
LIFETIME = datetime.timedelta(days=3650)  # of a certificate in an archive, which may stay in the cache for long
# Specs compare what busybox's shell says; but that of this distribution drops variables whose names are none of a
# shell's, such as `data-1`, and other specs look for them: to those it is bash.
SHELL = """#!/bin/bash
mapfile -d '' -t variables < /proc/self/environ
for variable in "${variables[@]}"; do
    [[ ${variable%%=*} =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || exec -a "$0" /bin/bash "$@"
done
exec -a "$0" /bin/busybox "$@"
"""
# A shell as first process ignores signals that it has not asked for, and a pod would take its whole grace period.
WEB = """#!/bin/sh
busybox httpd -f -p 80 -h {root} & server=$!
trap 'kill $server; exit 0' TERM INT
wait $server
"""


@dataclass(frozen=True)
class Web:
    """A web server's image. tags; root: of its documents; start: its program. All is served by busybox."""

    tags: tuple[str, ...]
    root: str
    start: str


WEB_SERVERS = {
    'httpd': Web(('2.4.38-4', '2.4.39-4'), '/usr/local/apache2/htdocs', '/usr/local/bin/httpd-foreground'),
    'nginx': Web(('1.14-4', '1.15-4'), '/usr/share/nginx/html', '/usr/sbin/nginx'),
}
AGNHOST = '2.56'  # version of the program
PICTURES, PICTURES_TAG = ('kitten', 'nautilus'), '1.7'


@dataclass(frozen=True)
class Tags:
    """What specs of a minor ask for that those of another do not. also: images of Kubernetes itself under tags that
    only specs want: etcd beside the sample API server."""

    agnhost: str
    also: tuple[str, ...]


TAGS = {
    '1.33': Tags('2.53', ('registry.k8s.io/etcd:3.5.21-0',)),
    '1.34': Tags('2.56', ('registry.k8s.io/etcd:3.6.4-0',)),
}


def tags(minor: str) -> Tags:
    """Those of a minor ('1.34'). Raises SandboxError for one that nobody has looked up."""
    if minor not in TAGS:
        known = ', '.join(TAGS)
        advice = 'add what test/utils/image/manifest.go of that minor names to images/suite.py'
        raise SandboxError('cannot make images of specs', f'of Kubernetes {minor}', f'known are only {known}', advice)
    return TAGS[minor]


def images(programs: Path, debian: Path, minor: str) -> list[Image]:
    """The images that specs of a minor want. programs: directory with those of the set test-images. debian: tree of
    PACKAGES (files.ensure)."""
    shell = _shell(debian)
    agnhost = _agnhost(programs / PROGRAM, shell, tags(minor).agnhost)
    return [
        agnhost,
        _named(('busybox:1.37.0-1', 'busybox:1.36.1-1'), shell, ('sh',), 'busybox: of Debian'),
        _named(('jessie-dnsutils:1.7',), shell, ('sleep', '1000000'), 'jessie-dnsutils: of this Debian'),
        replace(_named(('nonroot:1.4',), shell, ('sh', '-c', 'id; sleep 1000000')), user='1234'),
        # with the bits that make it root, which the specs keep it from
        _single('nonewprivs:1.3', '/usr/local/bin/nnp', programs / 'nonewprivs', shell, mode=0o6755),
        _single('regression-issue-74839:1.2', '/regression', programs / 'regression-issue-74839', shell),
        _single('sample-apiserver:1.29.2', '/sample-apiserver', programs / 'sample-apiserver', shell),
        *(_picture(name, agnhost) for name in PICTURES),
        *(image for name, web in WEB_SERVERS.items() for image in _web(name, web, shell)),
    ]


def _shell(debian: Path) -> tuple[Entry, ...]:
    """Packages with busybox's names for what is missing, and its shell as `sh`."""
    entries = {entry.path: entry for entry in debian_layer(debian)}
    shells = '/usr/bin' if (debian / 'bin').is_symlink() else '/bin'
    entries[f'{shells}/sh'] = Entry(f'{shells}/sh', 0o755, text=SHELL)
    entries[f'{shells}/nc'] = Entry(f'{shells}/nc', link='nc.openbsd')
    entries['/etc/nsswitch.conf'] = Entry('/etc/nsswitch.conf', text=NAMES)
    return tuple(entries.values())


def _agnhost(program: Path, shell: tuple[Entry, ...], tag: str) -> Image:
    own = (
        Entry('/agnhost', 0o755, source=program),
        Entry('/agnhost-2', link='agnhost'),
        Entry('/uploads', 0o777),
        *_certificate(),
        Entry('/etc/passwd', text=PASSWD),
        Entry('/etc/group', text=GROUP),
    )
    simulated = () if tag == AGNHOST else (f'test image agnhost: {AGNHOST} as {tag}',)
    return Image((f'{REGISTRY}/agnhost:{tag}',), (shell, own), ('/agnhost',), ('pause',), simulated=simulated)


def _certificate() -> tuple[Entry, Entry]:
    """What agnhost serves TLS with, for `localhost`; specs do not verify it. Readable for every user of a container."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, 'localhost')])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + LIFETIME)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName('localhost')]), critical=False)
    certificate = builder.serial_number(x509.random_serial_number()).sign(key, hashes.SHA256())
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (
        Entry('/localhost.crt', text=certificate.public_bytes(encoding).decode()),
        Entry('/localhost.key', text=private.decode()),
    )


def _named(names: tuple[str, ...], shell: tuple[Entry, ...], command: tuple[str, ...], told: str = '') -> Image:
    simulated = (f'test image {told}',) if told else ()
    return Image(tuple(f'{REGISTRY}/{name}' for name in names), (shell,), (), command, simulated=simulated)


def _single(name: str, inside: str, program: Path, shell: tuple[Entry, ...], mode: int = 0o755) -> Image:
    own = (Entry(inside, mode, source=program),)
    return Image((f'{REGISTRY}/{name}',), (shell, own), (inside,))


def _picture(name: str, agnhost: Image) -> Image:
    """A picture of two: specs look for its name in data.json, as that of the real image says it."""
    own = (Entry('/data.json', text=f'{{"image": "{name}.jpg"}}\n'),)
    return replace(
        agnhost,
        references=(f'{REGISTRY}/{name}:{PICTURES_TAG}',),
        layers=(*agnhost.layers, own),
        command=('test-webserver',),
        simulated=(f'test image {name}: without the picture',),
    )


def _web(name: str, web: Web, shell: tuple[Entry, ...]) -> list[Image]:
    """One image for each tag: specs roll from one to the other, and must see that they differ."""
    made = []
    for tag in web.tags:
        own = (
            Entry(web.start, 0o755, text=f'{WEB.format(root=web.root)}# {tag}\n'),
            Entry(f'{web.root}/index.html', text='<html><body><h1>It works!</h1></body></html>\n'),
        )
        image = Image((f'{REGISTRY}/{name}:{tag}',), (shell, own), (), (web.start,))
        made.append(replace(image, simulated=(f'test image {name}: served by busybox',)))
    return made
