"""What a machine's console says about a boot that did not end in a node. Pure over the text that the cloud gives.

It shows what a serial console shows: systemd, cloud-init, and what cloud-init runs, kubeadm above all; kubelet's own
log stays on the machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# [43160.231711] of the kernel, <14>Nov 25 13:52:15 of syslog, cloud-init[207]: of who speaks, colours of systemd.
DECORATION = re.compile(
    r'^(?:\[\s*\d+\.\d+\] |<\d+>\w{3} +\d+ [\d:]+ )?(?:(?:cloud-init|systemd)(?:\[\d+\])?: )?|\x1b\[[0-9;]*[A-Za-z]'
)
# How kubeadm says that it is done, as first control plane and as one that joins.
DONE = ('has initialized successfully', 'This node has joined the cluster')
EMPTY = 'the console is empty: the machine did not begin to boot'
UNHEALTHY = 'kubelet does not become healthy'

# The system did not come up. Whatever else the console says is a consequence.
BROKEN = re.compile(
    r'Kernel panic - not syncing.*|You are in emergency mode.*|Give root password for maintenance.*'
    r'|No bootable device.*|.*No space left on device.*|.*Out of memory: Killed process.*'
)
# The user data could not be used: cloud-init 22 to 25, https://docs.cloud-init.io/en/latest/howto/debugging.html
USER_DATA = re.compile(
    r'(?:.*(?:WARNING|ERROR|CRITICAL)\]: )?((?:Unable to|Could not|Failed to) render jinja template.*'
    r'|Failed to render .*jinja.*|.*[Uu]nable to render .*jinja.*|.*[Jj]inja.* (?:syntax|undefined).*'
    r'|Failed loading yaml blob.*|Failed at merging in cloud config part.*|Unhandled non-multipart .*userdata.*'
    r'|Failed to shellify.*|Failed calling handler .*)'
)
UNDEFINED = re.compile(r'.*(CI_MISSING_JINJA_VAR/[\w./-]+).*')
# Commands and modules, of the class or of the image; what kubeadm says is nearer to the cause.
COMMAND = re.compile(r'(?:.*: command not found|.*Temporary failure in name resolution.*|.*Could not resolve host.*)')
MODULE = re.compile(r'(?:.*(?:WARNING|ERROR)\]: )?(Failed to (?:run|start) .*)')
KUBEADM = re.compile(
    r'(?:error execution phase (?!wait-control-plane|kubelet-start|preflight: \[preflight\]).*'
    r'|error: (?!error execution).+|error unmarshaling .*|\t?\[ERROR [\w-]+\]: .*|.*: Invalid value: .*'
    r'|couldn.t initialize a Kubernetes cluster.*)'
)
STARTING = re.compile(r'\[kubelet-check\] (?:Waiting for a healthy kubelet|The kubelet is not healthy).*')
BEGUN = '[kubelet-start] Starting the kubelet'
AGAIN = 2  # exits behind that; one may be the end of the kubelet that ran without configuration before
EXIT = re.compile(r'kubelet\.service: Main process exited, (.*)')
HEALTHY = re.compile(r'\[kubelet-check\] The kubelet is healthy.*')
FINISHED = re.compile(r'Cloud-init v\. \S+ finished at .*')
STEP = re.compile(r'\[[a-z-]+(?:/[a-z-]+)?\] .*')
MOST = 2  # of one kind: the first is the cause, the second may name the place
LONGEST = 300  # characters; a YAML error quotes half of the user data


def lines(text: str) -> list[str]:
    """The console's lines without time, speaker and colours."""
    return [stripped for line in text.splitlines() if (stripped := DECORATION.sub('', line.rstrip())).strip()]


def causes(text: str) -> list[str]:
    """Why the machine became no node, the nearest to the cause first; none when the console tells of no trouble."""
    said = lines(text)
    if not said:
        return [EMPTY]
    found = [
        *_matching(BROKEN, said, 'the system broke'),
        *_matching(USER_DATA, said, 'cloud-init cannot use user data'),
    ]
    found += _matching(UNDEFINED, said, 'user data names what cloud-init does not know')
    if any(done in line for line in said for done in DONE):
        return found
    found += _kubelet(said)
    found += _matching(KUBEADM, said, 'kubeadm')
    found += _matching(COMMAND, said, 'a command of user data failed')
    # That a script failed tells nothing where something before it told why.
    return found or _matching(MODULE, said, 'a command of user data failed') or _last_step(said)


def _matching(pattern: re.Pattern[str], said: list[str], what: str) -> list[str]:
    told = dict.fromkeys(f'{what}: {text}' for text in _texts(pattern, said))
    return list(told)[:MOST]


def _texts(pattern: re.Pattern[str], said: list[str]) -> Iterator[str]:
    for line in said:
        if found := pattern.fullmatch(line):
            yield ' '.join((found[found.lastindex or 0]).split())[:LONGEST]


def _kubelet(said: list[str]) -> list[str]:
    """kubeadm waits up to four minutes for it; most waits of a test end earlier, so waiting counts, too.

    kubeadm 1.34 asks the API server first, which such a kubelet never starts, gives up after a minute, and says nothing
    of the kubelet; but systemd does.
    """
    begun = [place for place, line in enumerate(said) if line == BEGUN]
    again = begun and len(list(_texts(EXIT, said[begun[-1] :]))) >= AGAIN
    waiting = again or any(STARTING.fullmatch(line) for line in said)
    healthy = any(HEALTHY.fullmatch(line) for line in said)
    exits = list(dict.fromkeys(_texts(EXIT, said)))
    how = f' (it exits again and again: {exits[-1]})' if exits else ''
    return [UNHEALTHY + how] if waiting and not healthy else []


def _last_step(said: list[str]) -> list[str]:
    steps = [line for line in said if STEP.fullmatch(line) and 'WARNING' not in line]
    if steps:
        return [f'kubeadm did not get beyond: {" ".join(steps[-1].split())[:LONGEST]}']
    return ['cloud-init finished without running kubeadm'] if any(FINISHED.fullmatch(line) for line in said) else []
