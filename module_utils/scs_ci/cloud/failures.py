"""From errors of openstacksdk and keystoneauth to Problems, in one place."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..core.errors import (
    CapacityProblem,
    CredentialProblem,
    InfrastructureProblem,
    NetworkProblem,
    Problem,
    QuotaProblem,
    ToolProblem,
)

# Nova says 403 "Quota exceeded", Neutron 409 "Quota exceeded for resources", Cinder 413 "exceeds allowed … quota",
# Octavia 403 "Quota has been met"; Nova passes Neutron's on as "Maximum number of ports exceeded".
QUOTA_TEXT = re.compile(r'quota|ports exceeded|insufficient .* resources|overlimit|no more ip addresses', re.IGNORECASE)
QUOTA_STATUS = frozenset({400, 403, 409, 413})
NO_HOST_TEXT = re.compile(
    r'no valid host|exceeded maximum number of retries|exhausted all hosts'
    r'|availability zone .*(not available|not found)',
    re.IGNORECASE,
)
# The request may have been carried out although no success was answered.
LOST_STATUS = frozenset({500, 502, 504})
AGAIN_STATUS = frozenset({429, 503})
FAULTS_SHOWN = 5  # further objects that are named in a message


def sdk_errors() -> tuple[type[Exception], ...]:
    """Base classes of everything that openstacksdk raises."""
    try:
        import openstack.exceptions
        from keystoneauth1.exceptions import ClientException
    except ImportError as error:
        raise missing_sdk(error) from error
    return openstack.exceptions.SDKException, ClientException


def missing_sdk(error: ImportError) -> ToolProblem:
    """The message for an interpreter without openstacksdk."""
    return ToolProblem(
        'cannot import', 'library openstacksdk', str(error), "install 'openstacksdk>=4.22,<5' for this Python"
    )


def status_of(error: Exception) -> int | None:
    """HTTP status of an SDK or keystoneauth error, or None when no answer came."""
    value = getattr(error, 'status_code', None) or getattr(error, 'http_status', None)
    return value if isinstance(value, int) and value >= 100 else None


def text_of(error: Exception) -> str:
    """What the other side said, verbatim, with its status."""
    details = getattr(error, 'details', None)
    message = str(details or getattr(error, 'message', None) or error) or type(error).__name__
    status = status_of(error)
    return f'HTTP {status}: {message}' if status and str(status) not in message else message


def is_missing(error: Exception) -> bool:
    return status_of(error) == 404


def is_again(error: Exception) -> bool:
    """True when the request was refused for now and certainly not carried out."""
    return status_of(error) in AGAIN_STATUS


def is_lost(error: Exception) -> bool:
    """True when nobody knows whether the request was carried out: gateway errors, timeouts, broken connections."""
    return status_of(error) in LOST_STATUS or is_unreachable(error)


def is_unreachable(error: Exception) -> bool:
    import openstack.exceptions
    from keystoneauth1 import exceptions

    # a service that does not answer, or with 503, when it is asked for its versions has no supported ones for the SDK
    kinds = (exceptions.ConnectionError, exceptions.DiscoveryFailure, openstack.exceptions.NotSupported)
    return isinstance(error, kinds)


def is_quota(status: int | None, text: str) -> bool:
    return status in QUOTA_STATUS and bool(QUOTA_TEXT.search(text))


def problem(what: str, subject: str, error: Exception, advice: str = '') -> Problem:
    """The Problem of the class that fits: quota, capacity, credential, network, or plain infrastructure."""
    status, text = status_of(error), text_of(error)
    if is_quota(status, text):
        return QuotaProblem(
            what, subject, text, advice or "free or raise the quota; 'scs-ci preflight' shows the numbers"
        )
    if NO_HOST_TEXT.search(text):
        return CapacityProblem(what, subject, text, advice or 'free capacity or choose another flavor or zone')
    if is_unreachable(error):
        return NetworkProblem(
            what, subject, text, advice or 'check the address in the catalog, the network and the proxy'
        )
    if status in (401, 403):
        return CredentialProblem(what, subject, text, advice or "check the credential's roles and expiry")
    return InfrastructureProblem(what, subject, text, advice or 'see the log of the cloud, run again')


@contextlib.contextmanager
def cloud_errors(what: str, subject: str, advice: str = '') -> Iterator[None]:
    """Errors of the SDK inside the block become Problems that name the action and the object."""
    try:
        yield
    except sdk_errors() as error:
        raise problem(what, subject, error, advice) from error


def retry_after(error: Exception) -> float | None:
    """Seconds the other side asked to wait, if it did and in seconds."""
    response: Any = getattr(error, 'response', None)
    value = response.headers.get('Retry-After', '') if response is not None else ''
    return float(value) if str(value).isdigit() else None


def together(failed: Mapping[str, Problem]) -> Problem:
    """The first problem, with the others named behind its answer: whoever reads it need not run again to see them."""
    first, *others = failed.values()
    if not others:
        return first
    shown = '; '.join(f'{problem.subject}: {problem.answer}' for problem in others[:FAULTS_SHOWN])
    more = f'; and {len(others) - FAULTS_SHOWN} more' if len(others) > FAULTS_SHOWN else ''
    return type(first)(first.what, first.subject, f'{first.answer}; also {shown}{more}', first.advice)
