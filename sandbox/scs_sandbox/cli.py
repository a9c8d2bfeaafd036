"""scs-sandbox: a cloud with servers and networks on this machine, for trusted input or disposable machines only.

Exit codes: 0 done, 2 wrong usage, 3 error; `exec` and `shell` pass the command's own code through.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import lab, names, sandboxes
from .cloud.model import ADDRESS, REGION_NAMES
from .errors import SandboxError
from .sandboxes import CHARTS_PORT, Sandbox

if TYPE_CHECKING:
    from .images.machine import Machine

# What only one command needs is imported by that one: to load what `up` needs takes ten times as long as all of `exec`,
# which tests call hundreds of times.

PASSED, USAGE, ERROR = 0, 2, 3
INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl-C
TAIL_LINES = 40
Options = argparse.Namespace


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. An expected failure becomes a message, never a traceback."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code: int = options.function(options, sandboxes.find(options.name))
    except SandboxError as error:
        print(f'scs-sandbox: {error}', file=sys.stderr)
        return ERROR
    except KeyboardInterrupt:
        print('scs-sandbox: interrupted', file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR
    except OSError as error:
        print(
            f'scs-sandbox: cannot {options.command} sandbox {options.name}: {error}\n'
            '  next: look at that file, its rights and the free space, then try again',
            file=sys.stderr,
        )
        return ERROR
    return code


def _terminate(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _up(options: Options, sandbox: Sandbox) -> int:
    from . import lifecycle, status

    say = _progress(sys.stderr if options.json else sys.stdout)
    wish = lifecycle.Wish(
        options.regions,
        _directory(options.charts, 'charts'),
        _directory(options.images, 'images'),
        tuple(options.machines),
        options.cni == 'provided',
        not options.no_node_ip,
    )
    try:
        fresh = lifecycle.up(sandbox, wish, say)
    except (SandboxError, KeyboardInterrupt, OSError):
        _take_down_again(options, sandbox, say)
        raise
    if options.json:
        print(json.dumps({'fresh': fresh, **status.collect(sandbox)}))
    else:
        say(f'sandbox {sandbox.name} is up' if fresh else f'sandbox {sandbox.name} was up already; nothing done')
        print(
            f'clouds.yaml: {sandbox.clouds}\nrun a command in it: scs-sandbox --name {sandbox.name} exec openstack ...'
        )
    return PASSED


def _directory(text: str | None, what: str) -> Path | None:
    if text is None:
        return None
    path = Path(text).absolute()
    if not path.is_dir():
        raise SandboxError(f'cannot mirror {what} from', str(path), 'no such directory', f'correct --{what}')
    return path


def _take_down_again(options: Options, sandbox: Sandbox, say: Callable[[str], None]) -> None:
    """After a failed `up`; its own failure must not hide the first one."""
    from . import lifecycle

    if options.keep:
        say(f'kept for inspection; remove it with: scs-sandbox --name {sandbox.name} down')
        return
    try:
        say(f'failed; {len(lifecycle.down(sandbox))} things taken down again')
    except (SandboxError, OSError) as error:
        print(f'scs-sandbox: {error}', file=sys.stderr)


def _progress(stream: Any) -> Callable[[str], None]:
    began = time.monotonic()

    def say(text: str) -> None:
        print(f'{time.monotonic() - began:6.1f}s  {text}', file=stream, flush=True)

    return say


def _down(options: Options, sandbox: Sandbox) -> int:
    from . import lifecycle

    removed = lifecycle.down(sandbox)
    if options.json:
        print(json.dumps({'removed': removed}))
        return PASSED
    for text in removed:
        print(f'removed {text}')
    if not removed:
        print(f'sandbox {sandbox.name} was down already; nothing done')
    return PASSED


def _status(options: Options, sandbox: Sandbox) -> int:
    from . import status

    found = status.collect(sandbox)
    print(json.dumps(found) if options.json else status.table(found))
    return PASSED if found['up'] else ERROR


def _logs(options: Options, sandbox: Sandbox) -> int:
    from . import status

    found = status.logs(sandbox)
    chosen = [p for name in options.service or found for p in found.get(name, [])]
    unknown = [name for name in options.service if name not in found]
    if unknown or not chosen:
        known = ', '.join(found) or 'none: the sandbox is down'
        raise SandboxError(
            'cannot show log of',
            ', '.join(unknown) or f'sandbox {sandbox.name}',
            'there is no such log',
            f'logs are {known}',
        )
    if options.json:
        print(json.dumps({name: [str(p) for p in paths] for name, paths in found.items()}))
        return PASSED
    follow = ['-F'] if options.follow else []
    return os.execvp('tail', ['tail', '-n', str(options.lines), *follow, *map(str, chosen)])


def _exec(options: Options, sandbox: Sandbox) -> int:
    words = options.words[1:] if options.words[:1] == ['--'] else options.words
    if not words:
        print('scs-sandbox exec: no command given', file=sys.stderr)
        return USAGE
    return lab.execute(sandbox.name, words, _inside(sandbox))


def _shell(options: Options, sandbox: Sandbox) -> int:
    return lab.execute(sandbox.name, [os.environ.get('SHELL') or '/bin/sh'], _inside(sandbox))


def _inside(sandbox: Sandbox) -> dict[str, str]:
    """Environment of commands in the lab. OpenStack's own variables would win over clouds.yaml, so they are left
    out."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith('OS_')}
    return inherited | {
        'OS_CLIENT_CONFIG_FILE': str(sandbox.clouds),
        'SCS_SANDBOX_NAME': sandbox.name,
        'SCS_SANDBOX_CHARTS_PROXY': f'http://{ADDRESS}:{CHARTS_PORT}',
        'SCS_SANDBOX_CHARTS_CA': str(sandbox.state / 'charts' / 'ca.crt'),
    }


def _clouds(options: Options, sandbox: Sandbox) -> int:
    from . import clouds
    from .cloud import secrets

    regions = sandbox.regions()
    if not regions or not sandbox.credentials.exists():
        raise SandboxError(
            'cannot write clouds.yaml of',
            f'sandbox {sandbox.name}',
            'it is not up',
            f'scs-sandbox --name {sandbox.name} up',
        )
    credentials = secrets.load(sandbox.credentials)
    clouds.write(sandbox.clouds, credentials, regions)
    names_ = list(clouds.document(credentials, regions)['clouds'])
    print(json.dumps({'path': str(sandbox.clouds), 'clouds': names_}) if options.json else sandbox.clouds)
    return PASSED


def _faults(options: Options, sandbox: Sandbox) -> int:
    from . import faults

    if not sandbox.state.exists():
        raise SandboxError(
            'cannot change faults of',
            f'sandbox {sandbox.name}',
            'it is not up',
            f'scs-sandbox --name {sandbox.name} up',
        )
    if options.action == 'set':
        if not options.file:
            print('scs-sandbox faults set: FILE is missing', file=sys.stderr)
            return USAGE
        text = sys.stdin.read() if options.file == '-' else Path(options.file).read_text()
        faults.write(sandbox.state, faults.load(text, options.file))
    elif options.action == 'clear':
        faults.clear(sandbox.state)
    elif options.action in ('host-down', 'host-up'):
        if not options.file:
            print(f'scs-sandbox faults {options.action}: HOST is missing', file=sys.stderr)
            return USAGE
        down = options.action == 'host-down'
        faults.write(sandbox.state, faults.with_host(faults.read(sandbox.state), options.file, down=down))
        faults.await_host(sandbox.state, [region.name for region in sandbox.regions()], options.file, down=down)
    else:
        print(json.dumps(faults.read(sandbox.state), indent=None if options.json else 2))
    return PASSED


def _image(options: Options, sandbox: Sandbox) -> int:
    from . import cache, images, lifecycle

    if options.action == 'build' and not options.kubernetes:
        plain = images.build_plain()
        print(json.dumps([{'name': 'plain', 'tree': str(images.tree(plain))}]) if options.json else plain)
        return PASSED
    if options.action == 'build':
        made = lifecycle.build_machines(lifecycle.Wish(machines=tuple(options.kubernetes)))
        if options.json:
            print(json.dumps([_described(one) for one in made]))
        else:
            print('\n'.join(str(one.tree.parent) for one in made))
        return PASSED
    found = [path.name for path in sorted(cache.cache_home().glob('image-*/')) if (path / 'tree').is_dir()]
    print(json.dumps(found) if options.json else '\n'.join(found) or 'none is built')
    return PASSED


def _described(made: Machine) -> dict[str, Any]:
    return {
        'version': made.version,
        'name': made.name,
        'tree': str(made.tree),
        'containerd': str(made.containerd),
        'simulated': list(made.simulated),
    }


def _relay(options: Options, sandbox: Sandbox) -> int:
    from . import relay

    relay.relay(names.namespace_path(sandbox.netns), [relay.parse(route) for route in options.route])
    return PASSED


def _parser() -> argparse.ArgumentParser:
    # In front of the command or behind it; without a default there, so that the command does not undo what stands in
    # front.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument('--name', help='which sandbox (default: default)')
    common.add_argument('--json', action='store_true', help='answer in JSON on standard output')
    parser = argparse.ArgumentParser(
        prog='scs-sandbox', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--name', default='default', help='which sandbox (default: default)')
    parser.add_argument('--json', action='store_true', help='answer in JSON on standard output')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')

    def command(name: str, function: Callable[[Options, Sandbox], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, parents=[common])
        made.set_defaults(function=function)
        return made

    up = command('up', _up, 'start a sandbox; what runs already stays')
    up.add_argument(
        '--regions', type=int, default=1, choices=range(1, len(REGION_NAMES) + 1), help='OpenStack regions (default: 1)'
    )
    up.add_argument(
        '--charts', metavar='DIR', help='charts for the mirror, as <host>/<path>; default: the real hosts, cached'
    )
    up.add_argument(
        '--images',
        metavar='DIR',
        help='container images for machines, OCI layouts as <registry>/<repository>; default: the registries, cached',
    )
    up.add_argument(
        '--machines',
        nargs='+',
        default=[],
        metavar='VERSION',
        help='minors of Kubernetes (1.34) whose node images boot machines, built when missing, or versions (v1.34.9)',
    )
    up.add_argument(
        '--cni', choices=('provided', 'none'), default='provided', help='pod network of machines (default: provided)'
    )
    up.add_argument(
        '--no-node-ip', action='store_true', help='machines tell their address only when the cloud provider has'
    )
    up.add_argument('--keep', action='store_true', help='leave what was started when something fails')
    command('down', _down, 'remove a sandbox with everything in it')
    command('status', _status, 'show processes, memory and servers; exit code 3 when it is not up')
    logs = command('logs', _logs, 'show the ends of logs')
    logs.add_argument('service', nargs='*', help='nova, nova-access, agent, charts, server/ID, ...; default: all')
    logs.add_argument('-f', '--follow', action='store_true')
    logs.add_argument('-n', '--lines', type=int, default=TAIL_LINES)
    inside = command('exec', _exec, 'run a command in the lab, with OS_CLIENT_CONFIG_FILE set')
    inside.add_argument('words', nargs=argparse.REMAINDER, metavar='COMMAND...')
    command('shell', _shell, 'open a shell in the lab')
    command('clouds', _clouds, 'write clouds.yaml and print its path')
    fault = command('faults', _faults, 'show or change faults that the cloud shall have')
    fault.add_argument('action', choices=('set', 'clear', 'show', 'host-down', 'host-up'))
    fault.add_argument(
        'file', nargs='?', metavar='FILE|HOST', help='JSON, - for standard input; or the name of a compute host'
    )
    image = command(
        'image', _image, 'build the tree of plain servers, or of Kubernetes machines; list all that are built'
    )
    image.add_argument('action', choices=('build', 'list'))
    image.add_argument(
        '--kubernetes',
        nargs='+',
        default=[],
        metavar='VERSION',
        help='machines, as --machines of up: 1.34; those of several minors get what they need in one cluster',
    )
    routes = command('relay', _relay, 'make ports of the lab reachable on loopback until Ctrl-C')
    routes.add_argument('route', nargs='+', metavar='127.0.0.1:PORT=ADDRESS:PORT')
    return parser
