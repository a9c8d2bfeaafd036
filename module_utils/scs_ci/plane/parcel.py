"""What a run needs on its plane host: its records, the checkout, and of all clouds the credential of one.

On another host it lies in one directory:

    run/               run.json, plan.json, stages/, progress.log
    checkout/, next/   cluster stacks, without their history and without clouds.yaml
    charts/, proxy-ca.pem, variables.yaml, waivers.yaml, baseline.json
    secret/            clouds.yaml and ca.pem; the directory has mode 0700

Where the plane host is the controller, only what is written for the run lies there.
"""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from ..core import files
from ..core.errors import ToolProblem, UsageProblem

SECRET, CLOUDS, CA, VARIABLES = 'secret', 'clouds.yaml', 'ca.pem', 'variables.yaml'
OF_A_RUN = ('run.json', 'plan.json', 'stages', 'progress.log')
# Small files: name in the parcel, and its mode.
COPIES = {'proxy_ca': ('proxy-ca.pem', 0o644), 'waivers': ('waivers.yaml', 0o644), 'baseline': ('baseline.json', 0o644)}
# What may hold secrets is for its owner.
PRIVATE = 0o600
COMPRESSION = 1  # a parcel goes over a network once
# At the top of a tree: its history, and the files in which openstacksdk finds all clouds of who works there.
LEFT_OUT = frozenset({'.git', *(f'{name}.{end}' for name in ('clouds', 'secure') for end in ('yaml', 'yml', 'json'))})


@dataclass(frozen=True)
class Contents:
    """Paths of the controller; entry: of clouds.yaml, for `cloud`. variables: cluster variables by stack or version."""

    run: Path
    checkout: Path
    cloud: str
    entry: Mapping[str, Any]
    variables: Mapping[str, Any] = field(default_factory=dict)
    charts: Path | None = None
    next: Path | None = None
    proxy_ca: Path | None = None
    waivers: Path | None = None
    baseline: Path | None = None


def entry(clouds: Path, secure: Path, cloud: str) -> dict[str, Any]:
    """The cloud's entry of clouds.yaml, with what secure.yaml adds to it.

    An application credential of clouds.yaml is complete: the password in secure.yaml is what it is to keep away.
    """
    found = _entry(clouds, cloud)
    if not found:
        raise UsageProblem(
            'cannot find', f'cloud {cloud}', f'{clouds} has no such cloud', 'correct the name of the cloud'
        )
    if secure.is_file() and not (found.get('auth') or {}).get('application_credential_secret'):
        return _merged(found, _entry(secure, cloud))
    return found


def written(contents: Contents, root: str) -> Iterator[tuple[str, bytes, int]]:
    """Name, content and mode of the files that are written for the run; root: where the parcel will lie."""
    clouds = dict(contents.entry)
    authority = clouds.get('cacert')
    if authority:
        clouds['cacert'] = f'{root}/{SECRET}/{CA}'
        yield f'{SECRET}/{CA}', _bytes(Path(authority).expanduser()), PRIVATE
    yield f'{SECRET}/{CLOUDS}', _yaml({'clouds': {contents.cloud: clouds}}), PRIVATE
    yield VARIABLES, _yaml(contents.variables), PRIVATE
    for attribute, (name, mode) in COPIES.items():
        path = getattr(contents, attribute)
        if path:
            yield name, _bytes(path), mode


def lay(contents: Contents, root: Path) -> None:
    """Onto this machine, where everything else is already."""
    check(contents)
    for place in (root, root / SECRET):
        _private(place)
    try:
        for name, content, mode in written(contents, str(root)):
            files.write_atomic(root / name, content, mode)
    except BaseException:  # nothing is removed later of a run that did not get here whole
        shutil.rmtree(root / SECRET, ignore_errors=True)
        (root / VARIABLES).unlink(missing_ok=True)
        raise


def pack(contents: Contents, root: str, file: BinaryIO) -> None:
    """As a gzipped tar; links inside the trees stay what they are. OSError where something cannot be read."""
    check(contents)
    with (
        gzip.GzipFile('', 'wb', COMPRESSION, file, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode='w') as tar,
    ):
        tar.addfile(_member(SECRET, 0o700, tarfile.DIRTYPE))
        for name, content, mode in written(contents, root):
            member = _member(name, mode)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        # with its mode, which comes back with it
        tar.add(contents.run.resolve(), 'run', recursive=False)
        for name in OF_A_RUN:
            tar.add(contents.run.resolve() / name, f'run/{name}')
        for name in ('checkout', 'next', 'charts'):
            tree = getattr(contents, name)
            if tree:
                tar.add(tree.resolve(), name, filter=_kept)


def check(contents: Contents) -> None:
    """UsageProblem for the first tree that is named and is not there."""
    told = {'checkout': ('checkout', 'checkout'), 'next': ('the next checkout', 'upgrade_to')}
    told['charts'] = ('charts directory', 'charts')
    for name, (title, variable) in told.items():
        path = getattr(contents, name)
        if path and not path.is_dir():
            raise UsageProblem('cannot read', f'{title} {path}', 'no such directory', f'correct -e {variable}')


def _private(place: Path) -> None:
    """A directory for its owner only."""
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.chmod(0o700)
    except OSError as error:
        raise ToolProblem(
            'cannot make', f'directory {place}', error.strerror or str(error), 'fix permissions, or set push_run_base'
        ) from error


def _entry(path: Path, cloud: str) -> dict[str, Any]:
    """Of a file like clouds.yaml; empty when it has none for the cloud."""
    import yaml

    text = _bytes(path)
    try:
        found: Any = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):  # 2026-13-45 is an impossible date
        # what a parser says of a file with secrets may quote them
        raise UsageProblem('cannot read', f'file {path}', 'it is no YAML', 'correct it') from None
    for key in ('clouds', cloud):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The other one wins; dictionaries are merged."""
    both = {**one, **other}
    for key in one.keys() & other.keys():
        if isinstance(one[key], dict) and isinstance(other[key], dict):
            both[key] = _merged(one[key], other[key])
    return both


def _yaml(content: Any) -> bytes:
    import yaml

    return yaml.safe_dump(content, sort_keys=False).encode()


def _bytes(path: Path) -> bytes:
    with files.reading(path):
        return path.read_bytes()


def _member(name: str, mode: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mode, member.type = mode, kind
    return member


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    _, *below = member.name.split('/')
    return None if len(below) == 1 and below[0] in LEFT_OUT else member
