"""Try on this host, in a namespace that vanishes at once, what networks of the lab are made of: settings and lists of
modules tell little, for a kernel policy or a container may refuse what the kernel has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import SandboxError
from ..run import run

# As network.rules writes them: sets of states, translation both ways, filters of bridges.
RULES = """\
table ip trial {
  map inbound { type ipv4_addr : ipv4_addr; }
  chain forward { type filter hook forward priority 0; ct state established,related accept; ct state invalid drop; }
  chain before { type nat hook prerouting priority dstnat; dnat to ip daddr map @inbound; }
  chain after { type nat hook postrouting priority srcnat; ct status dnat masquerade; }
}
table bridge trial {
  chain before { type filter hook prerouting priority -200; iifname "x" ether type arp accept; }
}
"""
Execute = Callable[[tuple[str, ...], str], object]


@dataclass(frozen=True)
class Trial:
    """One thing to try. command: in a network namespace of its own. text: its standard input."""

    name: str
    command: tuple[str, ...]
    text: str
    cure: str


TRIALS = (
    Trial(
        'bridges and pairs of links',
        ('ip', '-batch', '-'),
        'link add trial type bridge\nlink add one type veth peer name two\n',
        'modprobe -a bridge veth',
    ),
    Trial(
        'rules of nftables with address translation',
        ('nft', '-f', '-'),
        RULES,
        'modprobe -a nf_tables nf_conntrack nft_ct nft_chain_nat nft_nat nft_masq nf_conntrack_bridge',
    ),
)


def _execute(command: tuple[str, ...], text: str) -> object:
    return run(('unshare', '--net', *command), what='cannot try', text=text)


def shortfalls(execute: Execute = _execute) -> list[str]:
    """What does not work, each with the other side's words and the cure. execute: runs a command with a text as its
    standard input in a network namespace of its own, and raises SandboxError.
    """
    lacks = []
    for trial in TRIALS:
        try:
            execute(trial.command, trial.text)
        except SandboxError as error:
            said = ' '.join(error.answer.split())
            lacks.append(f'this kernel makes no {trial.name} ({said}): {trial.cure}, or use another kernel')
    return lacks
