"""Is what was rendered in the cluster? Pure comparison: the rendered fields are a subset of the live object's.

The API server changes what it stores: it writes quantities in canonical form, drops empty values, turns `stringData`
into `data`, and adds defaults. None of that is a difference.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .kinds import Object

# Of lists of mappings with one of these keys the API server makes maps: others may add elements (a webhook a
# container). https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
MERGE_KEYS = ('name', 'mountPath', 'type', 'key')
# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
QUANTITY = re.compile(r'([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)(?:e([+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)')
DECIMAL = {unit: Decimal(1000) ** power for power, unit in enumerate('numkMGTPE', start=-3) if unit in 'num'} | {
    unit: Decimal(1000) ** power for power, unit in enumerate('kMGTPE', start=1)
}
BINARY = {f'{unit}i': Decimal(1024) ** power for power, unit in enumerate('KMGTPE', start=1)}
# Parents of quantities: elsewhere '1' and '1000m' are two texts.
OF_QUANTITIES = frozenset({'limits', 'requests', 'capacity', 'hard', 'allocatable', 'overhead'})
QUANTITIES = frozenset({'sizeLimit', 'averageValue'})
# Identity, by which the object was found, and what no rendering decides.
LEFT_OUT = frozenset({'apiVersion', 'kind', 'status'})
# Of metadata, what the API server keeps for itself.
BOOKKEEPING = frozenset({'managedFields', 'generation', 'resourceVersion', 'creationTimestamp', 'uid'})
SHOWN = 60  # characters of a value: a certificate says nothing to people


@dataclass(frozen=True)
class Difference:
    """path: 'spec.replicas', 'spec.containers[name=x].image'. live: None when the field is absent."""

    path: str
    wanted: Any
    live: Any

    @property
    def text(self) -> str:
        return f'{self.path} is {_shown(self.live)}, rendered {_shown(self.wanted)}'


def differences(wanted: Object, live: Object) -> list[Difference]:
    """Rendered fields that the live object has not, or otherwise. Values of Secrets are compared, too, and hidden."""
    plain = _as_stored(wanted)
    found = [
        difference
        for key, value in plain.items()
        if key not in LEFT_OUT
        for difference in _compare(value, live.get(key), key)
    ]
    if wanted.get('kind') != 'Secret':
        return found
    return [Difference(d.path, 'a secret', None if d.live is None else 'another') for d in found]


def unstable(first: Object, second: Object) -> frozenset[str]:
    """Paths that two renderings of the same give differently (a generated certificate): nobody can predict those."""
    return frozenset(d.path for d in _compare(_as_stored(first), _as_stored(second), ''))


def without(found: Iterable[Difference], paths: frozenset[str]) -> list[Difference]:
    """Differences at other places than `paths` (as from `unstable`, which start with a dot)."""
    return [difference for difference in found if f'.{difference.path}' not in paths]


def is_settled(would_be: Object, live: Object, random: frozenset[str]) -> bool:
    """True when an apply would change nothing. would_be: the API server's answer to a dry run of the rendering.

    This knows every canonical form (a quantity in a field unknown here, a duration, an older API version); what the
    rendering leaves to others stays as it is in both. random: as from `unstable`.
    """
    would_be, live = ({**obj, 'metadata': _told(obj)} for obj in (would_be, live))
    return not without(differences(would_be, live), random)


def _told(obj: Object) -> Object:
    return {key: value for key, value in (obj.get('metadata') or {}).items() if key not in BOOKKEEPING}


def _as_stored(obj: Object) -> Object:
    texts = obj.get('stringData')
    if obj.get('kind') != 'Secret' or not isinstance(texts, Mapping):
        return obj
    coded = {key: base64.b64encode(str(value).encode()).decode() for key, value in texts.items()}
    rest = {key: value for key, value in obj.items() if key != 'stringData'}
    return {**rest, 'data': {**(obj.get('data') or {}), **coded}}


def _compare(wanted: Any, live: Any, path: str) -> list[Difference]:
    if _same(wanted, live, path):
        return []
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        return [found for key, value in wanted.items() for found in _compare(value, live.get(key), f'{path}.{key}')]
    if isinstance(wanted, list) and isinstance(live, list):
        return _compare_lists(wanted, live, path)
    return [Difference(path, wanted, live)]


def _compare_lists(wanted: list[Any], live: list[Any], path: str) -> list[Difference]:
    key = next((key for key in MERGE_KEYS if _is_key(wanted, key) and _is_key(live, key)), '')
    if key:
        by_key = {element[key]: element for element in live}
        pairs = [(f'[{key}={element[key]}]', element, by_key.get(element[key])) for element in wanted]
    elif len(wanted) == len(live):
        pairs = [(f'[{index}]', *pair) for index, pair in enumerate(zip(wanted, live, strict=True))]
    else:
        return [Difference(path, wanted, live)]
    return [found for place, one, other in pairs for found in _compare(one, other, path + place)]


def _is_key(elements: list[Any], key: str) -> bool:
    """True when the key tells all elements apart."""
    values = [
        element[key] for element in elements if isinstance(element, Mapping) and isinstance(element.get(key), str)
    ]
    return len(set(values)) == len(elements)


def _same(wanted: Any, live: Any, path: str) -> bool:
    if live is None and wanted in (None, '', 0, [], {}):  # 0 == False: both are left out when stored
        return True
    if isinstance(wanted, bool) or isinstance(live, bool):
        return wanted is live
    if isinstance(wanted, (int, float, str)) and isinstance(live, (int, float, str)):
        return str(wanted) == str(live) or (_holds_quantity(path) and _equal_quantities(str(wanted), str(live)))
    return False  # containers are looked into: for Python [False] and [0] are equal


def _holds_quantity(path: str) -> bool:
    *_, parent, last = ['', *path.split('.')]
    return parent in OF_QUANTITIES or last in QUANTITIES


def _equal_quantities(one: str, other: str) -> bool:
    first, second = quantity(one), quantity(other)
    return first is not None and first == second


def quantity(text: str) -> Decimal | None:
    """The number that a Kubernetes quantity stands for ('100m', '1.5Gi', '2e3'), None when it is none."""
    match = QUANTITY.fullmatch(text)
    if not match:
        return None
    number, exponent, unit = match.groups()
    factor = Decimal(10) ** int(exponent) if exponent else (DECIMAL | BINARY).get(unit or '', Decimal(1))
    return Decimal(number) * factor


def _shown(value: Any) -> str:
    text = 'absent' if value is None else repr(value)
    return text if len(text) <= SHOWN else f'{text[:SHOWN]}…'
