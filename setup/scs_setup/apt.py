"""Debian packages, by purpose. Installed only by root and only when something is missing."""

import importlib.util
import os
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

from . import cache, paths
from .problems import SetupProblem
from .process import run

# Fresh machines unpack up to 100 MB here; dpkg may have to wait for another apt (see Lock::Timeout).
APT_SECONDS = 900
DPKG_LOCK_SECONDS = 300


@dataclass(frozen=True)
class Package:
    """One Debian package: the program or file that shows that it is there, and why it is needed."""

    name: str
    probe: str
    reason: str


@dataclass(frozen=True)
class Purpose:
    """Packages that belong together, and what works without them."""

    name: str
    without: str
    packages: tuple[Package, ...]


def purposes(source: Path | None = None) -> dict[str, Purpose]:
    """The purposes of setup/packages.toml by name."""
    data = tomllib.loads((source or paths.CHECKOUT / 'setup' / 'packages.toml').read_text())
    return {
        name: Purpose(name, table['without'], tuple(Package(**package) for package in table['package']))
        for name, table in data.items()
    }


def present(package: Package) -> bool:
    """Whether the package's program or file exists, however it came there."""
    if package.probe.startswith('/'):
        return Path(package.probe).exists()
    # Administrators' programs are not in an ordinary user's PATH.
    return shutil.which(package.probe, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin') is not None


def missing(purpose: Purpose) -> list[Package]:
    """Packages of a purpose that are not there."""
    return [package for package in purpose.packages if not present(package)]


def command(names: list[str]) -> str:
    """The command that installs packages, as a person would type it."""
    return f'apt-get update && apt-get install --yes --no-install-recommends {" ".join(names)}'


def ensure(name: str) -> list[str]:
    """Install what a purpose lacks; return the installed packages.

    Raises:
        SetupProblem: not root, no apt, or apt fails.
    """
    purpose = purposes()[name]
    lacking = [package.name for package in missing(purpose)]
    if lacking:
        install(lacking, f'the packages for {name}', f'{purpose.without} work without them')
    return lacking


def install(names: list[str], what: str, without: str) -> None:
    """Install packages by apt as root."""
    by_hand = f'run as root: {command(names)}'
    if os.geteuid() != 0:
        raise SetupProblem(f'cannot install {what}', f'{", ".join(names)} missing, not root', f'{by_hand}; {without}')
    if shutil.which('apt-get') is None:
        raise SetupProblem(
            f'cannot install {what}',
            'this system has no apt-get',
            f'install what gives the programs of {", ".join(names)}; {without}',
        )
    cache.say(f'apt-get install {" ".join(names)}')
    env = {**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'}
    wait = ['-o', f'DPkg::Lock::Timeout={DPKG_LOCK_SECONDS}']
    failure = f'cannot install {what} ({", ".join(names)})'
    with cache.locked(paths.cache_root() / 'locks' / 'apt', 'system packages'):
        run(['apt-get', *wait, 'update'], 'cannot refresh the package lists', by_hand, APT_SECONDS, env=env)
        arguments = ['install', '--yes', '--no-install-recommends', '--no-upgrade', *names]
        run(['apt-get', *wait, *arguments], failure, by_hand, APT_SECONDS, env=env)


def ensure_venv_module() -> None:
    """Debian splits off the part of Python that makes environments with pip inside."""
    if importlib.util.find_spec('venv') is None or importlib.util.find_spec('ensurepip') is None:
        install(['python3-venv'], 'Python environments', 'nothing of scs-ci works without it')
