"""Is a node usable over SSH, and are its host keys those that its console shows?"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ..core import clock as clocks
from ..core import process
from ..core.errors import BootProblem, NetworkProblem

PORT = 22
ATTEMPT = 5.0  # one connection attempt; a live host answers within one, over the slowest link
KEY_TYPES = 'ed25519,ecdsa,rsa'
# What host keys are compared with: what the node wrote to its console, for a request each, or only another scan.
CONSOLE, SCAN = 'console', 'scan'
HOST_KEYS = (CONSOLE, SCAN)
# cloud-init prints the block at the end of the boot, a little after sshd starts; clouds show it with some delay
CONSOLE_PAUSES = (1.0, 2.0, 4.0, 8.0)
BLOCK = re.compile(r'-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----', re.DOTALL)
KEY = re.compile(r'((?:ssh|ecdsa|sk)-[\w@.-]+) +(AAAA[0-9A-Za-z+/=]+)')


class Probe(Protocol):
    """How a node is reached; replaced in tests."""

    def banner(self, address: str) -> bool: ...

    def scan(self, address: str) -> frozenset[str]: ...

    def login(self, address: str, user: str, key: Path, known_hosts: tuple[str, ...]) -> str: ...


class NetworkProbe:
    """The real one: a TCP connection, ssh-keyscan and ssh of OpenSSH."""

    def banner(self, address: str) -> bool:
        """True when an SSH server answers."""
        try:
            with socket.create_connection((address, PORT), timeout=ATTEMPT) as connection:
                connection.settimeout(ATTEMPT)
                return connection.recv(64).startswith(b'SSH-')
        except OSError:
            return False

    def scan(self, address: str) -> frozenset[str]:
        """Host keys as 'type base64'; empty when the server does not answer."""
        words = [process.program('ssh-keyscan'), '-T', str(int(ATTEMPT)), '-t', KEY_TYPES, address]
        # ssh-keyscan tries each type with its own timeout
        done = process.run(words, timeout=ATTEMPT * 4)
        return frozenset(' '.join(pair) for pair in KEY.findall(done.stdout))

    def login(self, address: str, user: str, key: Path, known_hosts: tuple[str, ...]) -> str:
        """Empty when the user can log in with the key and run a command, else what ssh said."""
        trusted = key.parent / f'known_hosts.{address}'
        trusted.write_text('\n'.join(known_hosts) + '\n', encoding='utf-8')
        options = ('BatchMode=yes', 'IdentitiesOnly=yes', 'StrictHostKeyChecking=yes', f'UserKnownHostsFile={trusted}')
        words = [process.program('ssh'), '-F', 'none', '-i', str(key), '-o', f'ConnectTimeout={int(ATTEMPT)}']
        try:
            for option in options:
                words += ['-o', option]
            done = process.run([*words, f'{user}@{address}', 'true'], timeout=ATTEMPT * 4)
        finally:
            trusted.unlink(missing_ok=True)
        return '' if done.code == 0 else done.last_words(1)


def console_keys(text: str) -> frozenset[str]:
    """Host keys that cloud-init printed last into a console log, as 'type base64'; empty without a whole block."""
    blocks = BLOCK.findall(text)
    return frozenset(' '.join(pair) for pair in KEY.findall(blocks[-1])) if blocks else frozenset()


def known_hosts(address: str, keys: frozenset[str]) -> tuple[str, ...]:
    return tuple(f'{address} {key}' for key in sorted(keys))


def wait_banner(
    probe: Probe, name: str, address: str, seconds: float, clock: clocks.Clock, words: Callable[[], str]
) -> None:
    """Until an SSH server answers; NetworkProblem after `seconds`. words: what the node's console says, asked then."""
    try:
        clocks.wait(lambda: probe.banner(address), seconds, f'SSH server of {name}', clock=clock)
    except clocks.Expired as error:
        advice = 'check route, security group and the console log of the node'
        answer = f'{error}{words()}'
        raise NetworkProblem('cannot reach', f'node {name} at {address} port {PORT}', answer, advice) from error


def trusted_keys(
    probe: Probe, name: str, address: str, console: Callable[[], str] | None, clock: clocks.Clock
) -> tuple[frozenset[str], str]:
    """Host keys and where the trust comes from: CONSOLE when cloud-init printed the same, else SCAN (twice equal).

    console: asks for the node's console log; without it only scans count. BootProblem when the console shows other keys
    than the network: then something answers in place of the node.
    """
    scanned = _stable_scan(probe, name, address, clock)
    if console is None:
        return scanned, SCAN
    for pause in (*CONSOLE_PAUSES, None):
        printed = console_keys(console())
        if printed:
            if not scanned <= printed:
                answer = 'the keys in its console log differ from those on the network'
                raise BootProblem(
                    'cannot trust', f'node {name} at {address}', answer, 'is the address used twice? delete the node'
                )
            return scanned, CONSOLE
        if pause is not None:
            clock.sleep(pause)
    return scanned, SCAN


def _stable_scan(probe: Probe, name: str, address: str, clock: clocks.Clock) -> frozenset[str]:
    """Two equal scans in a row: while sshd starts, some of its keys may still be missing."""
    last: list[frozenset[str]] = [frozenset()]

    def twice() -> frozenset[str] | None:
        seen = probe.scan(address)
        same, last[0] = seen == last[0], seen
        return seen if same and seen else None

    try:
        return clocks.wait(twice, ATTEMPT * 6, f'equal host keys of {name}', pause=0.5, clock=clock)
    except clocks.Expired as error:
        raise BootProblem(
            'cannot read', f'host keys of node {name} at {address}', str(error), 'see its console log'
        ) from error
