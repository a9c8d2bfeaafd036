"""What `scs-ci versions resolve` prints: text for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .resolve import Resolution

FORMAT = 1


@dataclass(frozen=True)
class Resolved:
    """A resolution and for whom. stack: its path, '' for nobody in particular; declared: its version, '' likewise."""

    resolution: Resolution
    stack: str = ''
    declared: str = ''


def text(found: Sequence[Resolved]) -> str:
    """Per stack and minor the triple, then what is newer and not usable, with the reason."""
    return '\n'.join(line for one in found for line in _lines(one))


def _lines(one: Resolved) -> list[str]:
    known = one.resolution
    lines = [f'{one.stack}: Kubernetes {known.minor}, declared is {one.declared}' if one.stack else f'{known.minor}:']
    if known.image:
        made = f', built on {known.image.date}' if known.image.date else ''
        lines.append(f'  Kubernetes {known.image.version}')
        lines.append(f'  node image {known.image.url}, sha256 {known.image.sha256}{made}')
    lines += [f'  chart {name} {version}' for name, version in known.charts.items()]
    lines += [] if known.usable else [f'  no usable versions of {known.minor}']
    lines += [f'  not usable: {refused.what}: {refused.why}' for refused in known.refused]
    return lines + [f'  note: {note}' for note in known.notes]


def document(found: Sequence[Resolved]) -> dict[str, Any]:
    """The JSON form."""
    return {'format': FORMAT, 'resolutions': [_plain(one) for one in found]}


def _plain(one: Resolved) -> dict[str, Any]:
    known = one.resolution
    image = known.image
    described = {'url': image.url, 'sha256': image.sha256, 'ubuntu': image.ubuntu} if image else None
    if image and described and image.date:
        described['date'] = image.date
    return {
        **({'stack': one.stack, 'declared': one.declared} if one.stack else {}),
        'minor': known.minor.dotted_minor,
        'usable': known.usable,
        'kubernetes': str(image.version) if image else None,
        'charts': dict(known.charts),
        'image': described,
        'not_usable': [{'what': refused.what, 'why': refused.why} for refused in known.refused],
        'notes': list(known.notes),
    }
