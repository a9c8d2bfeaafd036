"""Commands of the set-up: one function per command, results on standard output, progress on standard error."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import accelerator, apt, cache, checks, doctor, e2e, environments, fresh, launch, paths, programs, tools, virtual
from .problems import ERROR, FAILED, PASSED, SetupProblem

# What a shell reports for a program ended by Ctrl-C.
INTERRUPTED = 130


def _env(options: argparse.Namespace) -> int:
    print(environments.ensure(options.name))
    return PASSED


def _lock(options: argparse.Namespace) -> int:
    for name in options.name or environments.INPUTS:
        print(environments.lock(name, options.upgrade))
    return PASSED


def _tools(options: argparse.Namespace) -> int:
    if options.table:
        print(programs.table(), end='')
    else:
        for name in options.set or [programs.PLANE]:
            print(tools.ensure(name))
    return PASSED


def _packages(options: argparse.Namespace) -> int:
    for name in options.purpose:
        installed = apt.ensure(name)
        cache.say(f'packages for {name}: {", ".join(installed) if installed else "all there"}')
    return PASSED


def _doctor(_options: argparse.Namespace) -> int:
    parts = doctor.examine()
    print(doctor.text(parts))
    return PASSED if all(part.works for part in parts) else FAILED


def _run(options: argparse.Namespace) -> int:
    launch.replace(options.program, launch.prepared(options.env))


def _e2e(_options: argparse.Namespace) -> int:
    return e2e.main(e2e.request(os.environ))


def _fresh(options: argparse.Namespace) -> int:
    place = fresh.Place(Path(options.directory).resolve())
    if options.step == 'make':
        fresh.make(place, options.release, options.prepare, options.set, options.disk)
    elif options.step == 'boot':
        virtual.boot(place, virtual.Size(options.processors, options.memory), options.accel)
    elif options.step == 'run':
        return virtual.execute(place, options.words)
    elif not virtual.stop(place):
        cache.say('fresh: it did not run')
    return PASSED


def _lint(_options: argparse.Namespace) -> int:
    return checks.lint()


def _test(options: argparse.Namespace) -> int:
    return checks.test(options.argument)


def _docs(_options: argparse.Namespace) -> int:
    return checks.docs()


def _clean(options: argparse.Namespace) -> int:
    running = cache.sandboxes()
    if running:
        raise SetupProblem(
            f'cannot remove the cache {paths.cache_root()}',
            f'sandboxes use it: {", ".join(running)}',
            'take them down: bin/scs-sandbox --name NAME down',
        )
    root = paths.cache_root()
    keep: set[str] = set()
    if options.unused is not None:
        keep = {path.name for path in root.glob('*')} - cache.unused(root, options.unused, time.time())
    for name in cache.prune(root, keep):
        cache.say(f'removed {name}')
    return PASSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='python3 setup/main.py', description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    env = commands.add_parser('env', help='make a Python environment and print its directory')
    env.add_argument('name', help=', '.join([*environments.ENVIRONMENTS, *environments.ALIASES]))
    env.set_defaults(function=_env)
    lock = commands.add_parser('lock', help='resolve requirements into locks')
    lock.add_argument('name', nargs='*', help=f'{", ".join(environments.INPUTS)} (default: all)')
    lock.add_argument('--upgrade', action='store_true', help='take the newest versions instead of the locked ones')
    lock.set_defaults(function=_lock)
    build = commands.add_parser('tools', help='build the Go programs and print their directory')
    text = 'set of programs, default plane; several times for several; see doc/tools.md'
    build.add_argument('--set', action='append', help=text, metavar='NAME')
    build.add_argument('--table', action='store_true', help='print the programs as a Markdown table instead')
    build.set_defaults(function=_tools)
    packages = commands.add_parser('packages', help='install missing Debian packages')
    packages.add_argument('purpose', nargs='+', choices=sorted(apt.purposes()))
    packages.set_defaults(function=_packages)
    run = commands.add_parser('run', help='run a program of the project in its environment')
    run.add_argument('--env', default='product', help='environment (default product)')
    run.add_argument('program', nargs=argparse.REMAINDER, help='program and arguments')
    run.set_defaults(function=_run)
    _add_fresh(commands.add_parser('fresh', help='a Debian machine in QEMU, to prove scs-ci on; see sandbox/README.md'))
    for name, function, text in (
        ('doctor', _doctor, 'say what is missing on this machine and what works without it'),
        ('e2e', _e2e, 'the main job in the sandbox; reads variables, see README.md'),
        ('test', _test, 'linters, documentation, then all tests; takes arguments of pytest'),
        ('lint', _lint, 'all linters'),
        ('docs', _docs, 'check that the documentation is complete'),
    ):
        commands.add_parser(name, help=text).set_defaults(function=function)
    clean = commands.add_parser('clean', help='remove everything from the cache')
    text = 'only entries that no command took for so many days'
    clean.add_argument('--unused', type=float, metavar='DAYS', help=text)
    clean.set_defaults(function=_clean)
    return parser


def _add_fresh(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('directory', help='where its files are')
    steps = parser.add_subparsers(dest='step', required=True, metavar='STEP')
    make = steps.add_parser('make', help='make its disk')
    make.add_argument('--release', default='bookworm', help='Debian release (default bookworm)')
    text = 'shell command to run in its checkout before the first boot, with the speed of this machine'
    make.add_argument('--prepare', action='append', default=[], metavar='COMMAND', help=text)
    text = "set of Go programs to take from this machine's cache"
    make.add_argument('--set', action='append', default=[], metavar='NAME', help=text)
    make.add_argument('--disk', type=int, default=24, metavar='GB', help='size of its disk (default 24)')
    boot = steps.add_parser('boot', help='start it and wait until it lets root in')
    boot.add_argument('--memory', type=int, default=6144, metavar='MIB', help='its memory (default 6144)')
    boot.add_argument('--processors', type=int, default=2, metavar='N', help='default 2; by turns without KVM')
    text = 'how QEMU runs it (default auto: kvm where it can be used, else tcg)'
    boot.add_argument('--accel', choices=accelerator.CHOICES, default=accelerator.AUTO, help=text)
    run = steps.add_parser('run', help='bring the last commit of this checkout and run a command in it')
    run.add_argument('words', nargs=argparse.REMAINDER, metavar='COMMAND', help='a line of shell')
    steps.add_parser('stop', help='power it off')
    parser.set_defaults(function=_fresh)


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; a SetupProblem becomes a message, never a traceback."""
    # Options after `test` are pytest's; argparse would take them for its own.
    border = 1 if arguments[:1] == ['test'] else len(arguments)
    options = _parser().parse_args(arguments[:border])
    options.argument = list(arguments[border:])
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
