"""Make the namespaces of a server and its process 1. Runs as a program of its own (python3 -I -S starter.py), standard
library only.

Reads one JSON object from standard input: {"groups": [directories], "console_group": directory, "record": path,
"console": path, "command": [program, ...], "environment": {}}. Joins the control groups, makes the namespaces, starts
the command as process 1 with a terminal as console, copies what the terminal shows to the console file, records both
processes and ends. The agent is the subreaper, or later process 1 of the host.
"""

import ctypes
import json
import os
import sys
from pathlib import Path

# NEWNS CGROUP UTS IPC PID NET
CLONE_FLAGS = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
MS_REC_PRIVATE = 0x4000 | 0x40000


def start_time(pid: int) -> int:
    """Field 22 of /proc/<pid>/stat."""
    return int(Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19])


def unshare() -> None:
    """New namespaces for what this process starts; no mount of the server ever appears on the host."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_FLAGS) or libc.mount(b'none', b'/', None, MS_REC_PRIVATE, None):
        error = ctypes.get_errno()
        raise OSError(error, f'unshare: {os.strerror(error)}')


def run(command: list[str], environment: dict[str, str], streams: tuple[int, ...]) -> int:
    """Start a command in a session of its own with these files as 0, 1, 2 …; returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        for target, stream in enumerate(streams):
            os.dup2(stream, target)
        os.closerange(len(streams), 256)
        os.execvpe(command[0], command, environment)
    except OSError as error:
        os.write(2, f'{command[0]}: {error}\n'.encode())
    os._exit(127)


def join(group: str, pid: int) -> None:
    """Move a process into a control group."""
    (Path(group) / 'cgroup.procs').write_text(str(pid))


def main() -> None:
    """Start a server as standard input says."""
    plan = json.load(sys.stdin)
    master, slave = os.openpty()
    null = os.open('/dev/null', os.O_RDWR)
    console = os.open(plan['console'], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    # The copier keeps the terminal open: no process of the server does so all the time, and the master would answer EIO
    # meanwhile. So it does not end by itself; whoever ends the server ends it by its record.
    copier = run(['sed', '-u', 's/\\r*$//'], {'PATH': '/usr/bin:/bin', 'LC_ALL': 'C'}, (master, console, null, slave))
    os.close(master)
    join(plan['console_group'], copier)
    for group in plan['groups']:
        join(group, os.getpid())
    terminal = os.ttyname(slave)
    unshare()
    init = run(plan['command'], {**plan['environment'], 'STAGE_TERMINAL': terminal}, (slave, slave, slave))
    found = {'init': {'pid': init, 'start': start_time(init)}, 'console': {'pid': copier, 'start': start_time(copier)}}
    temporary = Path(plan['record'] + '.tmp')
    temporary.write_text(json.dumps(found))
    temporary.replace(plan['record'])


if __name__ == '__main__':
    main()
