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
import resource
import signal
import sys
from pathlib import Path

# NEWNS CGROUP UTS IPC PID NET
CLONE_FLAGS = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
MS_REC_PRIVATE = 0x4000 | 0x40000
# A boot shows some 300 lines. A server that floods its console shall not fill the host's disk: at most 5 MiB per boot,
# and a boot that finds more starts the file anew. What is too much is still read, or the server's programs would block.
CONSOLE_LINES = 10_000
CONSOLE_COLUMNS = 512
COPIER_MEMORY = 64 << 20  # bytes; sed holds one line, which a server can make endless


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


def open_console(path: str) -> int:
    """The console file at its end, emptied when it has the size of one full boot."""
    console = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    if os.fstat(console).st_size > CONSOLE_LINES * CONSOLE_COLUMNS:
        os.truncate(console, 0)
    return console


def copy_command(lines: int = CONSOLE_LINES, columns: int = CONSOLE_COLUMNS) -> list[str]:
    """The program that copies what a terminal shows: without carriage returns, long lines cut, the last line saying
    that more was left out.
    """
    last = f'the console log ends here: {lines} lines since this start; stop and start the server to see more'
    script = (r's/\r*$//', rf's/^\(.\{{{columns}\}}\).*/\1/', f'{lines}s/.*/{last}/', f'{lines + 1},$d')
    return ['sed', '-u', ';'.join(script)]


def join(group: str, pid: int) -> None:
    """Move a process into a control group."""
    (Path(group) / 'cgroup.procs').write_text(str(pid))


def enter(groups: list[str], console_group: str, copier: int) -> None:
    """Take this process and the copier to the control groups, and this one to namespaces of its own."""
    join(console_group, copier)
    for group in groups:
        join(group, os.getpid())
    unshare()


def main() -> None:
    """Start a server as standard input says."""
    plan = json.load(sys.stdin)
    master, slave = os.openpty()
    null = os.open('/dev/null', os.O_RDWR)
    console = open_console(plan['console'])
    # The copier keeps the terminal open: no process of the server does so all the time, and the master would answer EIO
    # meanwhile. So it does not end by itself; whoever ends the server ends it by its record.
    copier = run(copy_command(), {'PATH': '/usr/bin:/bin', 'LC_ALL': 'C'}, (master, console, null, slave))
    resource.prlimit(copier, resource.RLIMIT_DATA, (COPIER_MEMORY, COPIER_MEMORY))
    os.close(master)
    terminal = os.ttyname(slave)
    try:
        enter(plan['groups'], plan['console_group'], copier)
    except OSError:
        os.kill(copier, signal.SIGKILL)  # nobody has its record
        raise
    init = run(plan['command'], {**plan['environment'], 'STAGE_TERMINAL': terminal}, (slave, slave, slave))
    found = {'init': {'pid': init, 'start': start_time(init)}, 'console': {'pid': copier, 'start': start_time(copier)}}
    temporary = Path(plan['record'] + '.tmp')
    temporary.write_text(json.dumps(found))
    temporary.replace(plan['record'])


if __name__ == '__main__':
    main()
