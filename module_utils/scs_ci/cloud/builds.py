"""Whether the build of a run still runs: what the status pages of Zuul's tenants say."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from ..core.errors import InfrastructureProblem, UsageProblem
from ..core.naming import SHORT

# The status of a tenant with a thousand jobs has some megabytes and takes a busy zuul-web some seconds.
ANSWER_SECONDS = 60
MOST_BYTES = 64 * 1024 * 1024
UUID = re.compile(r'[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}')
ADVICE = 'check the address, e.g. https://zuul.example.org/api/tenant/NAME; until Zuul answers nothing is deleted'

Read = Callable[[str], bytes]


def running(tenants: Iterable[str], read: Read | None = None) -> frozenset[str]:
    """First digits of the ids of all builds that the tenants' status pages name.

    tenants: addresses of their REST API. UsageProblem: no address; InfrastructureProblem: no answer, or not a status.
    """
    return frozenset(found for tenant in tenants for found in _builds(tenant, read or _read))


def _builds(tenant: str, read: Read) -> Iterator[str]:
    where = urlsplit(tenant)
    if where.scheme not in ('http', 'https') or not where.netloc:
        raise UsageProblem('cannot ask', f'Zuul {tenant!r}', 'it is no address', ADVICE)
    address = f'{tenant.rstrip("/")}/status'
    try:
        content = json.loads(read(address))
    except urllib.error.HTTPError as error:
        raise InfrastructureProblem(
            'cannot ask', f'Zuul {address}', f'HTTP {error.code} {error.reason}', ADVICE
        ) from error
    except OSError as error:
        answer = str(getattr(error, 'reason', error))
        raise InfrastructureProblem('cannot ask', f'Zuul {address}', answer, ADVICE) from error
    except ValueError as error:
        raise InfrastructureProblem('cannot ask', f'Zuul {address}', f'no JSON: {error}', ADVICE) from error
    if not isinstance(content, dict) or not isinstance(content.get('pipelines'), list):
        # an error page, or another program: no build in it would mean that every build is over
        raise InfrastructureProblem('cannot ask', f'Zuul {address}', "the answer has no list 'pipelines'", ADVICE)
    return _uuids(content)


def _uuids(value: Any) -> Iterator[str]:
    """Every UUID wherever it stands: a build that is over but still shown counts as running, which only delays."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _uuids(item)
    elif isinstance(value, str) and UUID.fullmatch(value):
        yield value.replace('-', '')[:SHORT]


def _read(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as answer:
        content: bytes = answer.read(MOST_BYTES)
    return content
