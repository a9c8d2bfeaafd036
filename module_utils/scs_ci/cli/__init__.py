"""Command line: one thin file per command, found by the table below and imported only when asked for."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence

from ..core.errors import Problem
from ..core.outcome import Exit

# command: (module, one line of help). A module offers arguments(parser) and run(options) -> exit code.
COMMANDS = {
    'discover': ('discover', 'find the versions in a checkout and write the plan of a run'),
    'check': ('check', 'check cluster stacks without a cloud'),
    'rules': ('rules', 'list the rules of the check'),
    'explain': ('explain', 'explain rules: motivation, a bad and a good example'),
    'versions': ('versions', 'resolve Kubernetes, chart and image versions, and state them in stacks'),
    'build': ('build', 'build releases'),
    'publish': ('publish', 'push releases to a registry and verify them'),
    'release': ('release', 'build, publish, list and compare releases without a run'),
    'registry': ('registry', 'look whether registries work'),
    'preflight': ('preflight', 'ask the cloud whether the run fits into it'),
    'nodes': ('nodes', 'provision, list and delete test nodes'),
    'credential': ('credential', 'make and revoke the application credential of a run'),
    'plane': ('plane', 'start, stop and look at the management plane'),
    'parcel': ('parcel', 'pack what a run needs on its plane host'),
    'bundle': ('bundle', 'pack scs-ci for a plane host'),
    'deploy': ('deploy', 'create clusters from published releases'),
    'conformance': ('conformance', 'run conformance specs on the clusters of a run'),
    'upgrade': ('upgrade', 'upgrade the clusters of a run to the next release of their stack'),
    'purge': ('purge', 'delete everything of a run, or of all expired runs, and prove it'),
    'leftovers': ('leftovers', 'show what runs left in a project, and what changed in it; read-only'),
    'report': ('report', 'turn a run directory into a verdict'),
}


def parser() -> argparse.ArgumentParser:
    """Top-level parser; the options of a command are added only for the command that is called."""
    top = argparse.ArgumentParser(
        prog='scs-ci',
        description='Test cluster stacks.',
        epilog='exit codes: 0 passed, 1 failed, 2 usage, 3 error, 4 leftovers',
    )
    commands = top.add_subparsers(dest='command', metavar='COMMAND', required=True)
    for name, (_, text) in COMMANDS.items():
        commands.add_parser(name, help=text, add_help=False)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns the exit code. No traceback reaches the user."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options, _ = parser().parse_known_args(words[:1])
    try:
        module = importlib.import_module(f'.{COMMANDS[options.command][0]}', __name__)
        command = argparse.ArgumentParser(prog=f'scs-ci {options.command}', description=COMMANDS[options.command][1])
        module.arguments(command)
        asked = command.parse_args(words[1:])
        with _terminable():
            return int(module.run(asked))
    except Problem as problem:
        print(f'scs-ci {options.command}: {problem}', file=sys.stderr)
        return int(problem.exit)
    except KeyboardInterrupt:
        print(f"scs-ci {options.command}: interrupted\n  next: run it again, or 'scs-ci purge'", file=sys.stderr)
        return int(Exit.ERROR)
    except BrokenPipeError:  # the reader of a pipe went away: its business, but do not fail again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.ERROR)
    except Exception as error:  # the outermost entry
        print(f'scs-ci {options.command}: crashed: {type(error).__name__}: {error}', file=sys.stderr)
        print('  next: report it, with SCS_CI_DEBUG=1 it prints a traceback', file=sys.stderr)
        if os.environ.get('SCS_CI_DEBUG'):
            raise
        return int(Exit.ERROR)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM, as job runners send it, and SIGHUP, of a terminal that went away, end a command as Ctrl-C does.

    So there is a record, and neither a child nor a file with a secret stays. Only Ctrl-C of a terminal reaches the
    children by itself, and those of conformance not even then.
    """
    if threading.current_thread() is not threading.main_thread():  # Python allows handlers there only
        yield
        return

    def handler(number: int, frame: object) -> None:
        if number == signal.SIGHUP:  # the shell sends another one, which must not end the cleaning up
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, found in before.items():
        if found != signal.SIG_IGN:  # as nohup wants it
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number, found in before.items():
            signal.signal(number, found)
