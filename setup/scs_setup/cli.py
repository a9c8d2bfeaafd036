"""Commands of the set-up: one function per command, results on standard output, progress on standard error."""

import argparse
import sys
from collections.abc import Sequence

from . import environments, programs, tools
from .problems import ERROR, PASSED, SetupProblem

# What a shell reports for a program ended by Ctrl-C.
INTERRUPTED = 130


def _env(options: argparse.Namespace) -> int:
    print(environments.ensure(options.name))
    return PASSED


def _tools(options: argparse.Namespace) -> int:
    if options.table:
        print(programs.table(), end='')
        return PASSED
    print(tools.ensure())
    return PASSED


def _lock(options: argparse.Namespace) -> int:
    for name in options.name or [*environments.ENVIRONMENTS, *environments.LOCK_ONLY]:
        print(environments.lock(name, options.upgrade))
    return PASSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='python3 setup/main.py', description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True)
    env = commands.add_parser('env', help='make a Python environment and print its directory')
    env.add_argument('name', help=', '.join([*environments.ENVIRONMENTS, *environments.ALIASES]))
    env.set_defaults(function=_env)
    lock = commands.add_parser('lock', help='resolve requirements into locks')
    lock.add_argument('name', nargs='*', help='environment (default: all)')
    lock.add_argument('--upgrade', action='store_true', help='take the newest versions instead of the locked ones')
    lock.set_defaults(function=_lock)
    build = commands.add_parser('tools', help='build the Go programs and print their directory')
    build.add_argument('--table', action='store_true', help='print the programs as a Markdown table instead')
    build.set_defaults(function=_tools)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; a SetupProblem becomes a message, never a traceback."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.function(options)
    except SetupProblem as problem:
        print(problem, file=sys.stderr)
        return problem.exit_code
    except KeyboardInterrupt:
        print('setup: interrupted; what was complete is kept, run the same command again', file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        print(
            f'cannot set up scs-ci: {error}\n  next: look at that file and its rights, then run the same command again',
            file=sys.stderr,
        )
        return ERROR
    return code
