"""What the console log of a node says about why it is of no use, in one line. Pure."""

from __future__ import annotations

import re

# In this order: what comes first explains what comes later. {0} is the line at fault.
SIGNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r'.*Kernel panic.*', re.IGNORECASE), 'kernel panic: {0}'),
    (
        re.compile(r'.*(No bootable device|grub rescue>|Boot failed: not a bootable disk).*', re.IGNORECASE),
        'the image does not boot: {0}',
    ),
    (
        re.compile(r'.*(You are in (emergency|rescue) mode|Entering emergency mode|dracut-emergency).*', re.IGNORECASE),
        'the system ended in emergency mode: {0}',
    ),
    (
        re.compile(r'.*(No instance datasource found|Used fallback datasource|\bDataSourceNone\b).*'),
        'cloud-init found neither config drive nor metadata service: {0}',
    ),
    (
        re.compile(
            r'.*(No DHCPOFFERS received|DHCP\w* .*timed out|Network is unreachable|Timed out waiting for .*network'
            r'|Failed to start .*(networkd-wait-online|Wait for Network|Raise network interfaces)'
            r'|No route to host).*',
            re.IGNORECASE,
        ),
        'no network: {0}',
    ),
    (
        re.compile(
            r'.*(cloud-init\S*: Traceback|Failed to start .*cloud-(init|config|final)|cloud-init.*\bERROR\b'
            r'|Failed loading yaml blob|Failed at merging in cloud config|failed running .*cc_\w+).*',
            re.IGNORECASE,
        ),
        'cloud-init failed: {0}',
    ),
    (re.compile(r'.*Out of memory: Kill.*', re.IGNORECASE), 'out of memory: {0}'),
)
# The table that cloud-init prints of the keys it installed.
KEYS_OF = re.compile(r'Authorized keys from \S+ for user (\S+?)\+*\s*$', re.MULTILINE)
NO_KEYS_OF = re.compile(
    r'no authorized ssh keys fingerprints found for user (\S+?)\.?\s*$', re.IGNORECASE | re.MULTILINE
)
FINISHED = re.compile(r'Cloud-init v\. \S+ finished|login: *$', re.MULTILINE)
HEAD = re.compile(r'^(\[ *[\d.]+\] *)?(\S+\[\d+\]: *)?')  # the kernel's clock and the name of a program
LINE = 200  # characters of a line that are shown


def diagnose(text: str, user: str = '') -> str:
    """Why the node is of no use, or '' when the log does not tell. user: who cannot log in, '' if it got not so far."""
    if not text.strip():
        return 'its console is empty: the server has not begun to boot, or the cloud shows no console'
    for pattern, words in SIGNS:
        if found := pattern.search(text):
            return words.format(HEAD.sub('', found.group().strip())[:LINE])
    if user and (why := _wrong_user(text, user)):
        return why
    return '' if FINISHED.search(text) else f'it had not finished booting: {last_lines(text, 1)}'


def _wrong_user(text: str, user: str) -> str:
    have = list(dict.fromkeys(KEYS_OF.findall(text)))
    if have and user not in have:
        return (
            f'wrong user: cloud-init gave the key to {", ".join(have)} and not to {user}'
            f' (image property image_original_user={have[0]} would say so)'
        )
    return f'cloud-init installed no key for user {user}' if user in NO_KEYS_OF.findall(text) else ''


def last_lines(text: str, count: int) -> str:
    """The last lines that are not empty, on one line."""
    return ' | '.join(line.strip()[:LINE] for line in [line for line in text.splitlines() if line.strip()][-count:])
