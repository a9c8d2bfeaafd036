"""`scs-ci nodes ssh NAME`: into a node of a run, with the run's key and the host keys that were proven."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ..cloud import handover, keys
from ..cloud.listing import Listed
from ..core import process
from ..core.errors import UsageProblem


@dataclass(frozen=True)
class Door:
    """How to get in. words: of the ssh command."""

    node: Listed
    words: tuple[str, ...]


def find(name: str, found: Sequence[Listed]) -> Listed:
    """The node of that name, or the only one whose name ends like that: `node-0` for `scs-ci-…-node-0`."""
    fitting = [node for node in found if node.name == name] or [n for n in found if n.name.endswith(f'-{name}')]
    if len(fitting) == 1:
        return fitting[0]
    have = ', '.join(node.name for node in found) or 'none'
    answer = f'{len(fitting)} nodes have that name' if fitting else f'the cloud has {have}'
    raise UsageProblem('cannot find', f'node {name}', answer, 'give the whole name, or --run-id')


def door(node: Listed, key_dir: Path | None, command: str, private: Path | None = None) -> Door:
    """Into that node; UsageProblem when its key is not here or it has no address. private: another key than the run's.

    A login shell runs when the command is empty.
    """
    directory = key_dir or keys.default_directory(node.run)
    private, hosts = private or directory / 'id_ed25519', directory / handover.KNOWN_HOSTS
    if not node.address:
        raise UsageProblem('cannot log in to', f'node {node.name}', f'it is {node.status} without an address', 'wait')
    missing = [path for path in (private, hosts) if not path.is_file()]
    if missing:
        advice = "log in where 'nodes up' ran, or give its --key-dir"
        raise UsageProblem('cannot log in to', f'node {node.name}', f'there is no {missing[0]}', advice)
    options = ('IdentitiesOnly=yes', 'StrictHostKeyChecking=yes', 'GlobalKnownHostsFile=/dev/null')
    words = [process.program('ssh'), '-F', 'none', '-i', str(private), '-o', f'UserKnownHostsFile={hosts}']
    for option in options:
        words += ['-o', option]
    return Door(node, (*words, f'{node.user}@{node.address}', *([command] if command else [])))


def enter(way: Door, environment: Mapping[str, str] | None = None) -> NoReturn:
    """Become ssh: its terminal, signals and exit code are the user's."""
    os.execve(way.words[0], list(way.words), dict(environment or os.environ))
