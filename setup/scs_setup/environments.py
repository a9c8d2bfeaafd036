"""Python environments, made by a pinned `uv` from the locks in requirements/."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from . import apt, cache, interpreters, paths
from .problems import USAGE, SetupProblem
from .process import run

# A cold install of the largest environment takes about 40 s here; the rest is for slow mirrors.
INSTALL_SECONDS = 900
RESOLVE_SECONDS = 300
MINIMUM_PYTHON = '3.11'


@dataclass(frozen=True)
class Environment:
    """One environment.

    `inputs` are the files that `lock` resolves, relative to the checkout; without them it has the lock of `lock_of`.
    `python` is the oldest interpreter that makes sense.
    """

    name: str
    inputs: tuple[str, ...] = ()
    lock_of: str = ''
    python: tuple[int, int] = (3, 11)


ENVIRONMENTS = {
    environment.name: environment
    for environment in (
        Environment('product', ('setup.cfg', 'sandbox/setup.cfg', 'requirements/product.in')),
        Environment('openstack', ('requirements/openstack.in',)),
        Environment('ansible218', ('setup.cfg', 'requirements/ansible218.in')),
        # Python 3.11 ends at ansible-core 2.19; the lock has the newest one of each Python.
        Environment('ansible-newest', lock_of='product', python=(3, 12)),
    )
}
# Resolved, but never installed here: what a plane host gets.
LOCK_ONLY = {'runtime': ('setup.cfg',)}
INPUTS = {name: environment.inputs for name, environment in ENVIRONMENTS.items() if environment.inputs} | LOCK_ONLY
# The sandbox's few libraries and the linters are part of `product`: one environment less to make.
ALIASES = {'sandbox': 'product', 'lint': 'product', 'test': 'product'}


def pinned_uv() -> str:
    """The version of uv in requirements/uv.txt."""
    text = (paths.REQUIREMENTS / 'uv.txt').read_text()
    found = re.search(r'^uv==(\S+)$', text, re.MULTILINE)
    if not found:
        raise SetupProblem('cannot read requirements/uv.txt', 'no line uv==VERSION', 'restore the file', USAGE)
    return found.group(1)


def uv() -> Path:
    """Path of the pinned uv, after installing it into an environment of its own if needed."""
    version = pinned_uv()

    def make(directory: Path) -> None:
        cache.say(f'uv {version}')
        apt.ensure_venv_module()
        run(
            [sys.executable, '-m', 'venv', directory],
            f'cannot make an environment for uv in {directory}',
            'install python3-venv (Debian, Ubuntu) and try again',
            INSTALL_SECONDS,
        )
        run(
            [directory / 'bin' / 'pip', 'install', '--quiet', '--no-compile', f'uv=={version}'],
            f'cannot install uv {version}',
            'check that this machine reaches a Python package index (pip config), then try again',
            INSTALL_SECONDS,
        )

    entry = cache.ensure(paths.cache_root(), 'uv', cache.digest(version, interpreters.own().identity), make)
    return entry / 'bin' / 'uv'


def lock_file(name: str) -> Path:
    """The lock of an environment."""
    return paths.REQUIREMENTS / f'{name}.txt'


def entry_key(lock: Path, interpreter: interpreters.Interpreter) -> str:
    """Key of the cache entry of an environment: lock, interpreter, uv."""
    return cache.digest(lock.read_bytes(), interpreter.identity, pinned_uv())


def ensure(name: str) -> Path:
    """Directory of the environment `name`, made if needed.

    Raises:
        SetupProblem: unknown name, or a package that cannot be installed.
    """
    name = ALIASES.get(name, name)
    if name not in ENVIRONMENTS:
        known = ', '.join(sorted([*ENVIRONMENTS, *ALIASES]))
        raise SetupProblem(f'no environment {name!r}', f'known are {known}', 'choose one of them', USAGE)

    environment = ENVIRONMENTS[name]
    lock = lock_file(environment.lock_of or name)
    interpreter = interpreters.at_least(environment.python)

    def make(directory: Path) -> None:
        cache.say(f'environment {name} from {lock.relative_to(paths.CHECKOUT)}')
        tool = uv()
        what = f'cannot make the environment {name}'
        # Relocatable, because the directory is renamed when it is complete.
        run(
            [
                str(tool),
                'venv',
                '--quiet',
                '--relocatable',
                '--allow-existing',
                '--python',
                interpreter.path,
                str(directory),
            ],
            what,
            f'look at {interpreter.path}: it must be a working Python {MINIMUM_PYTHON} or newer',
            INSTALL_SECONDS,
        )
        run(
            [str(tool), 'pip', 'sync', '--quiet', '--compile-bytecode', '--strict', '--require-hashes']
            + ['--python', str(directory / 'bin' / 'python'), str(lock)],
            what,
            'check that this machine reaches a Python package index and that the disk has 1 GB free, then try again',
            INSTALL_SECONDS,
        )

    return cache.ensure(paths.cache_root(), f'venv-{name}', entry_key(lock, interpreter), make)


def lock(name: str, upgrade: bool = False) -> Path:
    """Resolve the inputs of an environment into its lock, for all supported versions of Python at once.

    Without `upgrade` a version that still fits stays as it is.
    """
    inputs = INPUTS[name]
    run(
        [str(uv()), 'pip', 'compile', '--quiet', '--universal', '--python-version', MINIMUM_PYTHON, '--generate-hashes']
        + ['--custom-compile-command', f'python3 setup/main.py lock {name}', '--no-emit-index-url']
        + (['--upgrade'] if upgrade else [])
        + ['--output-file', str(lock_file(name)), *inputs],
        f'cannot resolve {", ".join(inputs)}',
        'relax the requirement that the message names',
        RESOLVE_SECONDS,
        cwd=paths.CHECKOUT,
    )
    return lock_file(name)
