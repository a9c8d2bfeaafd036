"""Long-running processes known by PID and start time: start, find, stop, measure."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..core import files, shape
from ..core.clock import Clock, SystemClock
from ..core.errors import ToolProblem
from . import sockets
from .layout import MARKER, Layout, Port, digest

# Seconds between SIGTERM and SIGKILL. The slowest, kube-apiserver, needs 2 s; more than 10 means that it hangs.
GRACE = 10
LOG_LIMIT = 50 * 1024 * 1024  # bytes of a log that the next start moves away: a plane may live for weeks
LAST_LINES = 8
START_LINE = '--- scs-ci: started'  # in the log, so that the last words of an earlier life are not taken for this one's
KEPT_VARIABLES = ('PATH', 'HOME', 'LANG', 'TZ')  # no proxy and no CA override of the caller reaches a service


@dataclass(frozen=True)
class Service:
    """A program to be run. layer: stop order, lower first. health: port whose /readyz says that it works, or 0.

    reads: files that the program reads once, at its start.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    health: int = 0
    layer: int = 0
    reads: tuple[Path, ...] = ()

    @property
    def digest(self) -> str:
        """Changes when the program's file, its arguments, its environment or what it reads change."""
        file = Path(self.argv[0])
        stat = file.stat() if file.exists() else None
        identity = (stat.st_size, stat.st_mtime_ns) if stat else ()
        read = [path.read_bytes() for path in self.reads]
        return digest(json.dumps([self.argv, sorted(self.env.items()), identity]).encode(), *read)


@dataclass(frozen=True)
class Started:
    """Record of a started process. started: in clock ticks since boot; with the PID it names a process for good."""

    name: str
    pid: int
    started: str
    digest: str
    layer: int
    argv: tuple[str, ...]


@dataclass(frozen=True)
class Usage:
    """memory: resident MiB; cpu: seconds."""

    memory: int
    cpu: float


class Processes:
    """The processes of one plane. Stopping needs only their records, so what is no longer a service is stopped, too."""

    def __init__(self, layout: Layout, clock: Clock | None = None) -> None:
        self.layout, self.clock = layout, clock or SystemClock()

    def records(self) -> dict[str, Started]:
        """Every recorded process by name, alive or not."""
        found = {}
        for path in sorted(self.layout.records.glob('*.json')):
            try:
                found[path.stem] = shape.load(Started, files.read_json(path), f'file {path}')
            except FileNotFoundError:
                continue  # a concurrent stop took it away
        return found

    def alive(self, name: str) -> bool:
        record = self.records().get(name)
        return record is not None and is_running(record)

    def changed(self, service: Service) -> bool:
        """Whether it runs, but not as wanted."""
        record = self.records().get(service.name)
        return record is not None and is_running(record) and record.digest != service.digest

    def start(self, service: Service) -> bool:
        """Start it, or leave it alone when it runs as wanted; restart a changed one. Returns whether it did."""
        record = self.records().get(service.name)
        if record and is_running(record):
            if record.digest == service.digest:
                return False
            self.stop([service.name])
        sockets.demand_free(service.name, service.ports, self.clock)
        log = self.layout.log(service.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix('.log.1'))
        child = self._spawn(service, log)
        made = Started(
            service.name, child.pid, start_time(child.pid) or '', service.digest, service.layer, service.argv
        )
        files.write_json(self.layout.records / f'{service.name}.json', shape.dump(made))
        return True

    def _spawn(self, service: Service, log: Path) -> subprocess.Popen[bytes]:
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        env = {**kept, **service.env, MARKER: str(self.layout.state)}
        try:
            with log.open('ab') as output:
                output.write(START_LINE.encode() + b'\n')
                output.flush()
                return subprocess.Popen(
                    service.argv,
                    stdout=output,
                    stderr=output,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C in the terminal is for the command, not for the plane
                    cwd=self.layout.state,
                    env=env,
                )
        except OSError as error:
            raise ToolProblem(
                'cannot start',
                f'{service.name} ({service.argv[0]})',
                error.strerror or str(error),
                "free disk space or build the programs ('make tools'), then repeat",
            ) from error

    def stop(self, names: Iterable[str] | None = None) -> list[str]:
        """Stop the named processes, or all including strays; returns the names of those that had to be killed.

        Layer by layer: an API server that loses its etcd first hangs in its own shutdown.
        """
        records = self.records()
        chosen = list(records.values()) if names is None else [records[n] for n in names if n in records]
        killed = [] if names is not None else self.stop_strays()
        for layer in sorted({record.layer for record in chosen}):
            killed += self._stop_together([record for record in chosen if record.layer == layer])
        return killed if names is not None else killed + self.stop_strays()

    def stop_strays(self) -> list[str]:
        """Stop what belongs to the plane but has no record and no recorded parent; returns what had to be killed."""
        return self._stop_together(self.strays())

    def _stop_together(self, records: list[Started]) -> list[str]:
        for record in records:
            _signal(record, signal.SIGTERM)
        deadline = self.clock.monotonic() + GRACE
        while any(map(is_running, records)) and self.clock.monotonic() < deadline:
            self.clock.sleep(0.05)
        killed = [record.name for record in records if is_running(record)]
        for record in records:
            _signal(record, signal.SIGKILL)
        # SIGKILL needs a moment; a port that is still held would be an error of the next start.
        deadline = self.clock.monotonic() + GRACE
        while any(map(is_running, records)) and self.clock.monotonic() < deadline:
            self.clock.sleep(0.02)
        for record in records:
            _reap(record.pid)
            (self.layout.records / f'{record.name}.json').unlink(missing_ok=True)
        return killed

    def strays(self) -> list[Started]:
        """Processes with the plane's marker that neither are nor descend from recorded ones.

        They were started just before a kill -9 of `up`, or are children (helm) that outlived the operator.
        """
        known = {record.pid for record in self.records().values() if is_running(record)}
        wanted = f'{MARKER}={self.layout.state}'.encode()
        found = []
        for entry in Path('/proc').iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if wanted not in (entry / 'environ').read_bytes().split(b'\0'):
                    continue
            except OSError:
                continue  # it ended, or it is not ours to read
            pid = int(entry.name)
            if known.isdisjoint(lineage(pid)):
                found.append(Started(f'stray-{pid}', pid, start_time(pid) or '', '', 0, ()))
        return found

    def usage(self) -> dict[str, Usage | None]:
        """Memory and processor time per recorded process; None for a dead one."""
        return {name: usage(record) for name, record in self.records().items()}

    def last_lines(self, name: str, lines: int = LAST_LINES) -> str:
        """The end of a process's log, since its last start."""
        log = self.layout.log(name)
        if not log.exists():
            return ''
        with log.open('rb') as file:
            file.seek(max(0, log.stat().st_size - 64 * 1024))
            text = file.read().decode(errors='replace').rpartition(START_LINE)[2]
        return '\n'.join(text.strip('\n').splitlines()[-lines:])

    def demand_alive(self, name: str) -> None:
        """ToolProblem with the last words of the process when it is not running."""
        if not self.alive(name):
            words = self.last_lines(name) or 'its log is empty'
            raise Died('process ended:', name, words, f"see {self.layout.log(name)}, then run 'scs-ci plane up' again")


class Died(ToolProblem):
    """A process of the plane ended by itself."""


def start_time(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot; None when there is none, or only a zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[0] == 'Z' else fields[19]


def lineage(pid: int) -> list[int]:
    """The process and its ancestors."""
    found: list[int] = []
    while pid > 1 and pid not in found:
        found.append(pid)
        fields = _stat(pid)
        pid = int(fields[1]) if fields else 0
    return found


def is_running(record: Started) -> bool:
    return bool(record.started) and start_time(record.pid) == record.started


def usage(record: Started) -> Usage | None:
    """What the process uses, or None when it is dead."""
    fields = _stat(record.pid)
    if fields is None or not is_running(record):
        return None
    ticks, page = os.sysconf('SC_CLK_TCK'), os.sysconf('SC_PAGE_SIZE')
    return Usage(round(int(fields[21]) * page / 2**20), round((int(fields[11]) + int(fields[12])) / ticks, 2))


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the third (state) on; the second may hold blanks and parentheses."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    except OSError:
        return None


def _signal(record: Started, number: signal.Signals) -> None:
    if is_running(record):
        with contextlib.suppress(ProcessLookupError):  # it ended meanwhile, as wanted
            os.kill(record.pid, number)


def _reap(pid: int) -> None:
    """Collect a child of this very process; it may as well be the child of an earlier command."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
