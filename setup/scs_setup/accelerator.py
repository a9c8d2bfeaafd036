"""How QEMU runs a machine: on the processor itself (KVM) where this machine lets it, else by translation (TCG)."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from .problems import USAGE, SetupProblem

KVM, TCG = 'kvm', 'tcg'
AUTO = 'auto'
CHOICES = (AUTO, KVM, TCG)
DEVICE = Path('/dev/kvm')
# linux/kvm.h: the version of the interface, which is 12 for good; a machine; a processor of it.
GET_API_VERSION, CREATE_VM, CREATE_VCPU = 0xAE00, 0xAE01, 0xAE41
API_VERSION = 12
Ask = Callable[[int, int], int]


def obstacle(device: Path = DEVICE, ask: Ask | None = None) -> str:
    """Why KVM cannot be used here; empty when it can. A machine is made and given up: the device alone proves little,
    for in a container or a virtual machine it may be there and refuse.

    Args:
        ask: makes a request of a file descriptor, as ioctl does.
    """
    request = ask or (lambda handle, number: fcntl.ioctl(handle, number, 0))
    opened: list[int] = []
    try:
        opened.append(os.open(device, os.O_RDWR | os.O_CLOEXEC))
        version = request(opened[0], GET_API_VERSION)
        if version != API_VERSION:
            return f'{device}: version {version} of its interface, not {API_VERSION}'
        opened.append(request(opened[0], CREATE_VM))
        opened.append(request(opened[1], CREATE_VCPU))
    except OSError as error:
        return f'{device}: {error.strerror or error}'
    finally:
        for handle in reversed(opened):
            os.close(handle)
    return ''


def choose(wish: str, found: str) -> tuple[str, str]:
    """The accelerator, and a sentence about it.

    Args:
        wish: one of CHOICES.
        found: what `obstacle` says.
    Raises:
        SetupProblem: KVM is wished for and cannot be used.
    """
    if wish == KVM and found:
        raise SetupProblem(
            'cannot boot with KVM',
            found,
            'load the module (modprobe kvm_intel or kvm_amd), allow virtualization in the firmware or to this machine, '
            'or leave out --accel kvm',
            USAGE,
        )
    if wish == TCG:
        return TCG, 'translation (TCG), as wished'
    return (TCG, f'translation (TCG), for there is no KVM: {found}') if found else (KVM, 'KVM')
