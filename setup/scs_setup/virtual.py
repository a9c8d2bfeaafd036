"""Boot a fresh machine (see fresh.py) in QEMU, run commands in it, stop it."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from . import accelerator, apt, cache, launch, paths
from .fresh import BRANCH, CHECKOUT, Place
from .problems import USAGE, SetupProblem
from .process import run

# A translated machine on busy cores takes some minutes until it lets anybody in.
BOOT_SECONDS = 1800
ASK_SECONDS = 60
# A kernel's first line comes after a second with KVM, on busy cores after some.
SPEAK_SECONDS = 45
SPEAK_POLL_SECONDS = 0.5
POLL_SECONDS = 3
# systemd gives a unit 90 s of the machine's time, which may be four times that of ours.
POWER_OFF_SECONDS = 400
PUSH_SECONDS = 600
# Whatever else runs on this machine goes before translation, whose clock waits for it. Not before KVM: there the clock
# is ours, and so are the time limits.
NICE = 19
# The root file system is a disk without partitions. Without mitigations: each system call would otherwise make QEMU
# translate addresses anew. With one processor at first: where they work by turns a kernel that starts waits for the
# second one without an end, for it gives it no turn; later it does.
KERNEL = 'root=/dev/vda rw console=ttyS0 mitigations=off panic=-1 maxcpus=1'
ALL_PROCESSORS = 'for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do test ! -e $cpu || echo 1 > $cpu; done'


@dataclass(frozen=True)
class Machine:
    """A running machine. pid and start (field 22 of /proc/PID/stat) name its process, port is that of SSH here."""

    pid: int
    start: int
    port: int


@dataclass(frozen=True)
class Size:
    """memory: MiB. processors: kubeadm demands two, so there are two also where QEMU runs them by turns because its
    clock counts instructions.
    """

    processors: int = 2
    memory: int = 6144


def command(place: Place, size: Size, port: int, kind: str) -> list[str]:
    """QEMU's command line. kind: tcg (translation, with a clock that counts instructions) or kvm."""
    # x86-64-v2 with AES, which distributions and wheels may use; wider vectors are slower to translate than to lack.
    clock = ['-cpu', 'Westmere', '-icount', 'shift=0,sleep=on', '-rtc', 'clock=vm']
    if kind == accelerator.KVM:
        # Not what the processor says of its own flaws: a KVM inside another virtual machine refuses to be told of them.
        clock = ['-cpu', 'host,arch-capabilities=off']
    return [
        'qemu-system-x86_64',
        *('-machine', 'q35', '-accel', kind, *clock),
        *('-smp', str(size.processors), '-m', str(size.memory)),
        *('-nodefaults', '-display', 'none', '-no-reboot', '-serial', f'file:{place.console}'),
        *('-kernel', str(place.kernel), '-initrd', str(place.initrd), '-append', KERNEL),
        *('-drive', f'file={place.disk},format=raw,if=virtio,cache=unsafe'),
        *('-netdev', f'user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22', '-device', 'virtio-net-pci,netdev=net'),
        *('-device', 'virtio-rng-pci'),
    ]


def boot(place: Place, size: Size, wish: str = accelerator.AUTO) -> Machine:
    """Start the machine and wait until it lets root in; nothing is done when it runs.

    Args:
        wish: one of accelerator.CHOICES.
    Raises:
        SetupProblem: no disk, no KVM though wished for, or the machine ends or does not answer; the end of its console
            is the answer.
    """
    if found := running(place):
        return found
    if not place.disk.exists():
        advice = f'make one: python3 setup/main.py fresh {place.directory} make'
        raise SetupProblem(f'cannot boot {place.directory}', 'there is no disk', advice, USAGE)
    kind, words = accelerator.choose(wish, accelerator.obstacle())
    apt.ensure('fresh')
    cache.say(f'fresh: boots with {words}')
    begun = time.monotonic()
    process, machine = _launch(place, size, kind)
    if kind == accelerator.KVM and not _speaks(place, process) and wish == accelerator.AUTO:
        said = _end(place, process) or f'its console was silent for {SPEAK_SECONDS} s'
        cache.say(f'fresh: KVM is there and does not run it ({said}), so translation (TCG) does')
        process, machine = _launch(place, size, accelerator.TCG)
    while not _answers(place, machine, ALL_PROCESSORS):
        if process.poll() is not None or time.monotonic() > begun + BOOT_SECONDS:
            said = _end(place, process) + _tail(place.console)
            raise SetupProblem(f'cannot boot {place.directory}', said or 'it said nothing', f'read {place.console}')
        time.sleep(POLL_SECONDS)
    seconds = time.monotonic() - begun
    cache.say(f'fresh: booted in {seconds:.0f} s, process {machine.pid}, SSH on 127.0.0.1:{machine.port}')
    return machine


def _speaks(place: Place, process: subprocess.Popen[bytes], seconds: float = SPEAK_SECONDS) -> bool:
    """Whether the kernel of a machine begins to run. The device and its answers do not tell: inside some virtual
    machines KVM runs kernels that are made for it and interprets all others, a hundred times slower than translation.
    """
    limit = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < limit:
        if place.console.exists() and place.console.stat().st_size:
            return True
        time.sleep(SPEAK_POLL_SECONDS)
    return False


def _end(place: Place, process: subprocess.Popen[bytes]) -> str:
    """End QEMU; returns what it said itself."""
    if process.poll() is None:
        process.kill()
    process.wait(ASK_SECONDS)
    place.record.unlink(missing_ok=True)
    return (place.directory / 'qemu.log').read_text().strip()


def _launch(place: Place, size: Size, kind: str) -> tuple[subprocess.Popen[bytes], Machine]:
    port = _free_port()
    place.console.unlink(missing_ok=True)
    last = ['nice', '-n', str(NICE)] if kind == accelerator.TCG else []
    with (place.directory / 'qemu.log').open('w') as log:
        process = subprocess.Popen(
            [*last, *command(place, size, port, kind)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    if last:
        _last(process.pid)
    machine = Machine(process.pid, _start_time(process.pid) or 0, port)
    place.record.write_text(json.dumps(asdict(machine)) + '\n')
    return process, machine


def execute(place: Place, words: list[str]) -> int:
    """Bring the last commit of this checkout, run a command there, return its exit code."""
    machine = _needed(place)
    ssh = _ssh(place, machine)
    run(
        ['git', 'push', '--quiet', '--force', f'ssh://root@127.0.0.1{CHECKOUT}', f'HEAD:refs/heads/{BRANCH}'],
        'cannot bring the checkout to the machine',
        'look at what git said; the checkout there must have no changes',
        PUSH_SECONDS,
        cwd=paths.CHECKOUT,
        env={**os.environ, 'GIT_SSH_COMMAND': ' '.join(ssh)},
    )
    # Its calendar is late by what translation took, and certificates of registries may be younger than that.
    line = f'date --utc --set @{time.time():.0f} > /dev/null && cd {CHECKOUT} && {" ".join(words)}'
    return launch.call([*ssh, 'root@127.0.0.1', line], os.environ)


def stop(place: Place) -> bool:
    """Power off, or end its process when it does not. Returns False when it did not run."""
    machine = running(place)
    if machine is None:
        place.record.unlink(missing_ok=True)
        return False
    if _answers(place, machine, 'systemctl poweroff') and _gone(machine, POWER_OFF_SECONDS):
        place.record.unlink()
        return True
    for number in (signal.SIGTERM, signal.SIGKILL):
        if running(place) is None:
            break
        os.kill(machine.pid, number)
        _gone(machine, ASK_SECONDS)
    place.record.unlink()
    return True


def running(place: Place) -> Machine | None:
    """The machine when exactly its process still runs."""
    if not place.record.exists():
        return None
    machine = Machine(**json.loads(place.record.read_text()))
    return machine if _start_time(machine.pid) == machine.start else None


def _needed(place: Place) -> Machine:
    machine = running(place)
    if machine is None:
        advice = f'boot it: python3 setup/main.py fresh {place.directory} boot'
        raise SetupProblem(f'cannot use the machine {place.directory}', 'it does not run', advice, USAGE)
    return machine


def _ssh(place: Place, machine: Machine) -> list[str]:
    # The machine was made a moment ago and listens on this host only; keys of earlier ones on this port are of no use.
    options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'ServerAliveInterval=60']
    words = [part for option in options for part in ('-o', option)]
    return ['ssh', '-i', str(place.key), '-p', str(machine.port), *words]


def _answers(place: Place, machine: Machine, question: str = 'true') -> bool:
    command = [*_ssh(place, machine), '-o', 'BatchMode=yes', 'root@127.0.0.1', question]
    try:
        return subprocess.run(command, capture_output=True, timeout=ASK_SECONDS, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _last(pid: int) -> None:
    """Where Linux shares processors between sessions first, niceness counts within a session only."""
    group = Path(f'/proc/{pid}/autogroup')
    with contextlib.suppress(OSError):  # no such file: not that way; refused: not that niceness
        group.write_text(f'{NICE}\n')


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port: int = probe.getsockname()[1]
        return port


def _start_time(pid: int) -> int | None:
    try:
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return None
    return None if fields[0] in 'ZX' else int(fields[19])


def _gone(machine: Machine, seconds: float) -> bool:
    try:
        handle = os.pidfd_open(machine.pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(handle)


def _tail(console: Path) -> str:
    return console.read_text(errors='replace')[-1500:] if console.exists() else ''
