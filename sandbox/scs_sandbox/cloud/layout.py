"""The files of a region on disk: directories, configuration, keys."""

from __future__ import annotations

from pathlib import Path

from . import config, secrets
from .model import Region

DIRECTORIES = (
    'etc',
    'log',
    'run',
    'data',
    'data/locks',
    'data/images',
    'data/staging',
    'data/tasks',
    'data/coordination',
    'data/volumes',
)
COMPUTE_ID = '2b0c7c2e-9f0b-4c61-8f4b-5d3b5f6b7a10'


def write(region: Region, password: str, prefix: Path) -> None:
    """Everything a region needs beside its databases. password: of the user `service`.
    prefix: root of the OpenStack environment."""
    for name in DIRECTORIES:
        (region.home / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    write_configuration(region, password, prefix)
    # Nova insists on a node identity at its second start, and the template was its first.
    (region.data / 'compute_id').write_text(COMPUTE_ID + '\n')
    if region.index == 0:
        for name in ('fernet', 'credential'):
            secrets.write_keys(region.data / name)


def write_configuration(region: Region, password: str, prefix: Path) -> None:
    """Only what follows from this program and its arguments; may be written again at each start."""
    for name, text in config.files(region, password, prefix).items():
        secrets.write_private(region.etc / name, text)
