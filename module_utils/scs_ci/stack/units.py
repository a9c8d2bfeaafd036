"""The syntax of systemd units: sections with known names, and settings `Key=Value`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .hits import nearest

SECTION = re.compile(r'\[([^\[\]]+)\]')
SETTING = re.compile(r'([A-Za-z][A-Za-z0-9-]*)\s*=(.*)')
COMMON = ('Unit', 'Install')
# The section that a kind of unit has beside the common ones.
OWN = {
    'service': 'Service',
    'socket': 'Socket',
    'timer': 'Timer',
    'mount': 'Mount',
    'automount': 'Automount',
    'swap': 'Swap',
    'path': 'Path',
    'slice': 'Slice',
    'scope': 'Scope',
    'target': '',
}


def errors(path: str, content: str) -> Iterator[tuple[int, str]]:
    """(line, what is wrong) of a unit or a drop-in. path: on the machine."""
    known = sections(path)
    section = ''
    continued = False
    for number, line in enumerate(content.split('\n'), start=1):
        text = line.strip()
        goes_on, continued = continued, text.endswith('\\')
        if goes_on or not text or text[0] in '#;':
            continued = continued or (goes_on and text[:1] in ('#', ';'))
            continue
        if match := SECTION.fullmatch(text):
            section = match[1]
            if known and section not in known and not section.startswith('X-'):
                yield number, f'unknown section [{section}], systemd ignores it{nearest(section, known)}'
        elif not SETTING.fullmatch(text):
            yield number, f'neither a section nor Key=Value: {text}'
        elif not section:
            yield number, f'the setting {text} stands before any section'


def sections(path: str) -> tuple[str, ...]:
    """Sections of the unit at a path, () when unknown: configuration of systemd's own programs has others."""
    parts = path.split('/')
    name = parts[-1]
    if name.endswith('.conf'):
        # a drop-in lies in <unit>.d
        if not parts[-2].endswith('.d') or ('system' not in parts and 'user' not in parts):
            return ()
        name = parts[-2].removesuffix('.d')
    kind = name.rpartition('.')[2]
    if kind not in OWN:
        return ()
    return tuple(section for section in (*COMMON, OWN[kind]) if section)
