"""What a registry says to those who come: does it answer, how fast, with which certificate, does its login work."""

from __future__ import annotations

import datetime
import ssl
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from ..core.errors import CredentialProblem, InfrastructureProblem
from .registry import Credentials, asking, login_endpoint, open_session

# Enough for a median that one slow answer does not move.
TRIES = 5


@dataclass(frozen=True)
class Door:
    """How a registry receives those who come. seconds: median of its answers; expires: of its certificate, if told.

    challenge: its WWW-Authenticate header, '' when it lets everybody in.
    """

    seconds: float
    expires: datetime.datetime | None
    challenge: str


def knock(host: str, ca: Path | None) -> Door:
    """Ask for the version of its API some times; InfrastructureProblem when something else than a registry answers."""
    session, times, expires, challenge = open_session(host, retry=None), [], None, ''
    with session, asking(host):
        for _ in range(TRIES):
            began = time.monotonic()
            answer = session.get(f'https://{host}/v2/', verify=_verify(ca), stream=True)
            expires = expires or _expires(answer)
            body = next(answer.iter_content(200), b'')
            answer.close()
            times.append(time.monotonic() - began)
            challenge = answer.headers.get('WWW-Authenticate', '')
            _demand_registry(host, answer, body, challenge)
    return Door(statistics.median(times), expires, challenge)


def _verify(ca: Path | None) -> str | bool:
    return str(ca) if ca else True


def _expires(answer: requests.Response) -> datetime.datetime | None:
    """The end of the certificate of the connection that the answer comes by."""
    connection = getattr(answer.raw, 'connection', None)
    sock: Any = getattr(connection, 'sock', None)
    certificate = sock.getpeercert() if hasattr(sock, 'getpeercert') else None
    if not certificate:
        return None
    return datetime.datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate['notAfter']), datetime.UTC)


def _demand_registry(host: str, answer: requests.Response, body: bytes, challenge: str) -> None:
    said = f'HTTP {answer.status_code} to GET /v2/'
    if answer.status_code == 401 and challenge:
        return
    if answer.status_code == 200 and body.strip()[:1] in (b'', b'{'):
        return
    said += ' without a challenge' if answer.status_code == 401 else ''
    said += f', beginning {body[:40].decode("utf-8", "replace")!r}' if body else ''
    raise InfrastructureProblem('found no registry at', host, said, 'ask its operator, or correct the address')


def log_in(host: str, ca: Path | None, challenge: str, credentials: Credentials) -> str:
    """Ask the login endpoint of the challenge for a token, or show the account; returns what it was, for people.

    CredentialProblem when the account is refused, InfrastructureProblem when the endpoint does not do its work.
    """
    account = (credentials.user, credentials.password) if credentials.user else None
    own = f'https://{host}/v2/'
    if not challenge:
        return 'nobody has to log in'
    where, parameters = own, {}
    if challenge.lower().startswith('bearer'):
        where, service = login_endpoint(host, challenge)
        parameters = {'service': service} if service else {}
    elif account is None:
        return 'wants an account, none was given'
    with open_session(host, retry=None) as session, asking(urlsplit(where).netloc):
        said = session.get(where, params=parameters, verify=_verify(ca), auth=account)
    return _logged_in(where, said, account is not None, where != own)


def _logged_in(where: str, answer: requests.Response, with_account: bool, token: bool) -> str:
    said = f'HTTP {answer.status_code} {answer.text[:200]}'
    if answer.status_code in (401, 403):
        if not with_account:
            return f'{where} gives nothing without an account'
        advice = 'correct OCI_USERNAME and OCI_PASSWORD'
        raise CredentialProblem('was refused by', f'login endpoint {where}', said, advice)
    if answer.status_code != 200 or (token and not _token(answer)):
        raise InfrastructureProblem('got no token from', f'login endpoint {where}', said, 'ask the operator')
    return f'{where} works'


def _token(answer: requests.Response) -> str:
    """The token in the answer of a login endpoint, '' without one."""
    try:
        said = answer.json()
    except ValueError:
        return ''
    return str(said.get('token') or said.get('access_token') or '') if isinstance(said, dict) else ''
