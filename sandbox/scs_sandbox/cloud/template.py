"""The template of a cloud: databases and image store of a freshly installed region, made once and kept in the cache."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets as random
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import cache, names, processes
from ..run import run
from . import config, content, layout, secrets, sqlite, start
from .model import APPLICATION_CREDENTIAL, DATABASES, MEMBER_ROLES, PROJECTS, SERVICES, Credentials, Region

DATABASE_TIMEOUT = 300.0  # seconds for one service; the slowest (cinder, nova) take 20 s on 2 quiet cores
CONTENT_TIMEOUT = 180.0  # seconds; 5 s on 2 quiet cores
INFO = 'template.json'
NAMESPACE = 'scs-template-'  # plus the PID of the builder; no sandbox can have such a name
# What decides what is in the databases; drivers and configuration are those of the program that clones.
SOURCES = (
    'cloud/model.py',
    'cloud/content.py',
    'cloud/template.py',
    'services/databases.py',
    'services/seeds.py',
    'services/identity.py',
    'services/content.py',
)
Say = Callable[[str], None]


def key(prefix: Path, system: content.System) -> str:
    """What a template depends on: the OpenStack environment (its name holds the lock's hash), our own sources, the
    content."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256(prefix.name.encode())
    for source in SOURCES:
        digest.update((package / source).read_bytes())
    digest.update(json.dumps(asdict(system), sort_keys=True).encode())
    return digest.hexdigest()[:16]


def ensure(prefix: Path, system: content.System, say: Say, home: Path | None = None) -> Path:
    """The template in the cache; made when missing, which takes about a minute and needs root.

    prefix: root of the OpenStack environment. Raises SandboxError with the words of whatever failed.
    """
    name = f'cloud-template-{key(prefix, system)}'
    return cache.entry(home or cache.cache_home(), name, lambda place: make(place, prefix, system, say))


def make(place: Path, prefix: Path, system: content.System, say: Say) -> None:
    """Create databases, start the services once in a namespace of their own, fill the cloud, stop, pack into the
    directory place."""
    work = place / 'work'
    _end_orphans(work)
    region = Region(0, work, work)
    credentials = secrets.generate(random.token_hex(16))
    layout.write(region, credentials.passwords['service'], prefix)
    say('creating databases')
    create_databases(region, credentials, prefix)
    with _namespace(region.address) as netns:
        try:
            start.start(region, prefix, netns, say)
            say('filling the cloud')
            _fill(region, credentials, prefix, netns, content.document(system))
        finally:
            processes.stop(processes.recorded(start.records(region)))
    _pack(region, place)
    (place / INFO).write_text(
        json.dumps({'home': str(work), 'application_credential_id': credentials.application_credential_id}) + '\n'
    )
    shutil.rmtree(work)


def create_databases(region: Region, credentials: Credentials, prefix: Path) -> None:
    """The databases of all services, two at a time: the machine has two cores, and each is one process that only
    computes."""
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        # The slowest first.
        names = sorted(
            (s.name for s in region.services), key=('nova', 'cinder', 'neutron', 'keystone').__contains__, reverse=True
        )
        for job in [pool.submit(_create, region, name, credentials, prefix) for name in names]:
            job.result()
    for name in DATABASES:
        with sqlite.opened(region.data / f'{name}.db') as database:
            database.execute('pragma journal_mode=wal')


def identity_document(region: Region, credentials: Credentials) -> dict[str, Any]:
    """The input of services.identity."""
    return {
        'region': region.name,
        'urls': {s.name: [s.type, region.url(s.name)] for s in SERVICES},
        'passwords': credentials.passwords,
        'projects': list(PROJECTS),
        'member_roles': list(MEMBER_ROLES),
        'application_credential': {
            'id': credentials.application_credential_id,
            'secret': credentials.application_credential_secret,
            'name': APPLICATION_CREDENTIAL,
            'user': PROJECTS[0],
        },
    }


def _create(region: Region, service: str, credentials: Credentials, prefix: Path) -> None:
    document = json.dumps(identity_document(region, credentials)) if service == 'keystone' else ''
    run(
        [
            str(prefix / 'bin/python'),
            '-m',
            'scs_sandbox.services.databases',
            service,
            str(region.etc / config.FILES[service]),
        ],
        what='cannot create databases of',
        subject=service,
        text=document,
        timeout=DATABASE_TIMEOUT,
        environment=start.environment(region, prefix),
        advice='the OpenStack environment may be broken: remove it from the cache and set it up again',
    )


def _fill(region: Region, credentials: Credentials, prefix: Path, netns: str, document: dict[str, Any]) -> None:
    order = {
        'region': region.name,
        'content': document,
        'auth': {
            'auth_url': region.url('keystone'),
            'username': 'admin',
            'password': credentials.passwords['admin'],
            'project_name': 'admin',
            'user_domain_id': 'default',
            'project_domain_id': 'default',
        },
    }
    run(
        [
            'nsenter',
            f'--net=/run/netns/{netns}',
            '--',
            str(prefix / 'bin/python'),
            '-m',
            'scs_sandbox.services.content',
        ],
        what='cannot fill',
        subject='the cloud template',
        text=json.dumps(order),
        timeout=CONTENT_TIMEOUT,
        environment=start.environment(region, prefix),
        advice='run scs-sandbox up again; if that fails too, make the OpenStack environment again',
    )


@contextlib.contextmanager
def _namespace(address: str) -> Iterator[str]:
    """A network namespace of its own, with nothing but the address of the services."""
    sweep()
    name = f'{NAMESPACE}{os.getpid()}'
    run(['ip', 'netns', 'add', name], what='cannot make network namespace', subject=name)
    try:
        run(['ip', '-n', name, 'link', 'set', 'lo', 'up'], what='cannot prepare network namespace', subject=name)
        run(
            ['ip', '-n', name, 'address', 'add', f'{address}/32', 'dev', 'lo'],
            what='cannot prepare network namespace',
            subject=name,
        )
        yield name
    finally:
        run(['ip', 'netns', 'delete', name], what='cannot remove network namespace', subject=name)


def sweep(home: Path | None = None) -> list[str]:
    """Remove what killed builds of a template left: processes, files, network namespaces."""
    removed = []
    for temporary in sorted((home or cache.cache_home()).glob('cloud-template-*.tmp')):
        with temporary.with_suffix('.lock').open('a') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # somebody builds it right now
            removed += _end_orphans(temporary / 'work')
            shutil.rmtree(temporary, ignore_errors=True)
            removed.append(f'unfinished cloud template {temporary}')
    for path in sorted(names.NETNS_DIRECTORY.glob(f'{NAMESPACE}*')):
        if processes.start_time(int(path.name.removeprefix(NAMESPACE))) is not None:
            continue
        pids = run(['ip', 'netns', 'pids', path.name], what='cannot list processes of', subject=path.name).split()
        left = [
            processes.Process(pid, int(pid), started, '') for pid in pids if (started := processes.start_time(int(pid)))
        ]
        removed += [f'process {p.pid} of an unfinished cloud template' for p in processes.stop(left)]
        run(['ip', 'netns', 'delete', path.name], what='cannot remove network namespace', subject=path.name)
        removed.append(f'network namespace {path.name}')
    return removed


def _end_orphans(work: Path) -> list[str]:
    """End processes of a build whose builder was killed; they would go on writing into the next one's databases."""
    ended = processes.stop(processes.marked(str(work)))
    shutil.rmtree(work, ignore_errors=True)
    return [f'process {p.pid} of an unfinished cloud template' for p in ended]


def _pack(region: Region, place: Path) -> None:
    for name in DATABASES:
        path = region.data / f'{name}.db'
        with sqlite.opened(path) as database:
            database.execute('pragma wal_checkpoint(truncate)')
            database.execute('pragma journal_mode=delete')
            database.execute('vacuum')
        shutil.copyfile(path, place / path.name)
    shutil.copytree(region.data / 'images', place / 'images')
