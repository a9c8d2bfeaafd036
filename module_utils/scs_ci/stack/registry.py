"""A repository in an OCI registry: bounded requests, TLS with any CA, errors in the words of this project."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import urljoin, urlsplit

import oras.container  # type: ignore[import-untyped]
import oras.provider  # type: ignore[import-untyped]
import requests
from oras.auth.utils import parse_auth_header  # type: ignore[import-untyped]
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from ..core.errors import CredentialProblem, InfrastructureProblem, UsageProblem

# To connect, and between two pieces of an answer. Registries answer in milliseconds; a busy Harbor in seconds.
TIMEOUT = (10.0, 60.0)
# Connection failures and gateway errors pass; three tries with 0.5, 1, 2 s between them bridge a restart.
RETRY = Retry(
    total=3, backoff_factor=0.5, status_forcelist=(502, 503, 504), allowed_methods=None, raise_on_status=False
)
MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json'
ACCEPT = f'{MANIFEST_TYPE}, application/vnd.docker.distribution.manifest.v2+json'
# Images for several machines are an index of manifests.
ACCEPT_ANY = (
    f'{ACCEPT}, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json'
)
# A release has 2 MB, with charts of upstream in it 10; a manifest has some kilobytes.
MOST_BLOB = 256 * 1024 * 1024
MOST_MANIFEST = 4 * 1024 * 1024
PAGE, MOST_PAGES = 1000, 100  # tags in an answer, and answers


@dataclass(frozen=True)
class Credentials:
    """User name and password; both empty for anonymous access. Never printed."""

    user: str = ''
    password: str = ''

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Credentials:
        """From OCI_USERNAME and OCI_PASSWORD: robot names contain a dollar sign, which no shell ever sees this way."""
        user, password = environment.get('OCI_USERNAME', ''), environment.get('OCI_PASSWORD', '')
        if bool(user) != bool(password):
            raise UsageProblem(
                'cannot use',
                'the registry credentials',
                'only one of OCI_USERNAME and OCI_PASSWORD is set',
                'set both or none',
            )
        return cls(user, password)

    def __repr__(self) -> str:
        return f'Credentials(user={self.user!r})'


class _Adapter(HTTPAdapter):
    """Gives every request a time limit, for oras sets none."""

    def send(self, request: Any, **options: Any) -> Any:  # type: ignore[override]
        options['timeout'] = options.get('timeout') or TIMEOUT
        return super().send(request, **options)


def open_session(host: str, retry: Retry | None = RETRY) -> requests.Session:
    """Connections to a registry: bounded, without cookies; retry: None to ask once and hear every failure."""
    session = requests.Session()
    # Whoever sends Harbor's cookies back counts as a browser, whose pushes want a token against forgery.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ('https://', 'http://'):  # also the login endpoint is bounded, wherever it is
        session.mount(scheme, _Adapter(max_retries=retry or 0))
    # A proxy of the environment is for the outside world; credentials of ~/.netrc are never meant.
    session.trust_env = not host.startswith(('127.', 'localhost', '[::1]'))
    session.auth = _as_it_is
    return session


def login_endpoint(host: str, challenge: str) -> tuple[str, str]:
    """Address and service of the login endpoint in a challenge `Bearer …`; CredentialProblem for one without TLS."""
    asked = parse_auth_header(challenge)
    where = str(asked.realm or '')
    if not where.startswith('https://'):
        answer, advice = f'its login endpoint is {where!r}', 'ask its operator: accounts must not go there unencrypted'
        raise CredentialProblem('will not log in to', f'registry {host}', answer, advice)
    return where, str(asked.service or '')


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


@contextmanager
def asking(host: str) -> Iterator[None]:
    """What requests raises, in our words."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise InfrastructureProblem(
            'cannot trust', f'registry {host}', _short(error), 'name the right CA file with --ca'
        ) from error
    except requests.exceptions.RequestException as error:
        raise InfrastructureProblem(
            'cannot reach', f'registry {host}', _short(error), 'is it running, is the address right?'
        ) from error


class _Provider(oras.provider.Registry):  # type: ignore[misc]
    """oras without its own retries: they sleep up to two minutes, also on errors that do not pass.

    status: of the last answer, 0 before the first; oras' own exceptions do not tell it.
    """

    status = 0

    def do_request(self, *words: Any, **options: Any) -> requests.Response:
        answer = self._ask(*words, **options)
        # Tokens are for one action: after a pull, oras would offer the pull's again for a push, and be refused.
        if answer.status_code == 401 and getattr(self.auth, 'token', None):
            self.auth.token = None
            answer = self._ask(*words, **options)
        return answer

    def _ask(self, *words: Any, **options: Any) -> requests.Response:
        self.status = 0
        answer: requests.Response = oras.provider.Registry.do_request.__wrapped__(self, *words, **options)
        self.status = answer.status_code
        return answer


class Repository:
    """`host:port/path` in a registry."""

    def __init__(self, reference: str, ca: Path | None = None, credentials: Credentials | None = None) -> None:
        """Raises UsageProblem for a reference without host or path or with a tag, or for a CA file that is missing."""
        host, _, path = reference.removeprefix('oci://').removeprefix('https://').rstrip('/').partition('/')
        if not host or not path or '@' in path or ':' in path:
            raise UsageProblem(
                'cannot use', f'registry {reference!r}', 'it is not HOST[:PORT]/REPOSITORY', 'correct it'
            )
        if ca and not ca.is_file():
            raise UsageProblem('cannot read', f'CA file {ca}', 'no such file', 'correct --ca')
        self.host, self.path, self.ca = host, path, ca
        self.credentials = credentials or Credentials()
        self._provider: _Provider | None = None

    def __str__(self) -> str:
        return f'{self.host}/{self.path}'

    def manifest(self, tag: str, accept: str = ACCEPT) -> tuple[dict[str, Any], str] | None:
        """The manifest of a tag (or of a digest) and its digest, or None when there is none."""
        answer = self._request('GET', f'manifests/{tag}', headers={'Accept': accept}, stream=True)
        if answer.status_code == 404:
            return None
        self._demand(answer, f'manifest {tag}')
        content = self._content(answer, f'manifest {tag}', MOST_MANIFEST)
        return self._object(content, f'manifest {tag}'), f'sha256:{hashlib.sha256(content).hexdigest()}'

    def tags(self) -> tuple[str, ...]:
        """All tags, sorted; none when the repository does not exist yet."""
        found: list[str] = []
        query = f'n={PAGE}'
        for _ in range(MOST_PAGES):
            answer = self._request('GET', f'tags/list?{query}', stream=True)
            if answer.status_code == 404:
                break
            self._demand(answer, 'list of tags')
            listed = self._object(self._content(answer, 'list of tags', MOST_MANIFEST), 'list of tags').get('tags')
            found += [str(tag) for tag in listed or []]
            query = urlsplit(answer.links.get('next', {}).get('url', '')).query
            if not query:
                break
        return tuple(sorted(set(found)))

    def blob(self, digest: str) -> bytes:
        """Content of a blob, verified against its digest."""
        answer = self._request('GET', f'blobs/{digest}', stream=True)
        self._demand(answer, f'blob {digest}')
        content = self._content(answer, f'blob {digest}', MOST_BLOB)
        found = f'sha256:{hashlib.sha256(content).hexdigest()}'
        if found != digest:
            raise InfrastructureProblem(
                'got other content than stored for',
                f'blob {digest} of {self}',
                found,
                'ask the operator of the registry',
            )
        return content

    def try_upload(self) -> str:
        """Open an upload session, as every push begins, and cancel it: nothing is stored.

        Returns '' or why the session could not be cancelled, which the registry then ends by itself.
        """
        opened = self._request('POST', 'blobs/uploads/')
        self._demand(opened, 'upload session')
        place = opened.headers.get('Location', '')
        if opened.status_code != 202 or not place:
            said = f'HTTP {opened.status_code}, {"Location" if opened.status_code == 202 else "202"} is missing'
            raise InfrastructureProblem('cannot open', f'an upload session in {self}', said, 'is it a registry?')
        where = urljoin(f'https://{self.host}/v2/{self.path}/blobs/uploads/', place)
        if urlsplit(where).netloc != self.host:
            return f'it is at another host, {urlsplit(where).netloc}'
        with self._errors():
            cancelled = self._connected().do_request(where, 'DELETE')
        return '' if cancelled.status_code < 300 else f'HTTP {cancelled.status_code} to its deletion'

    def push_blob(self, content: bytes, media_type: str) -> dict[str, Any]:
        """Upload a blob unless it is there; returns its descriptor."""
        descriptor = {
            'mediaType': media_type,
            'digest': f'sha256:{hashlib.sha256(content).hexdigest()}',
            'size': len(content),
        }
        # a file without a name, for a process that is killed removes none; oras opens it, and again when it tries again
        with self._errors(), TemporaryFile() as file:
            file.write(content)
            file.flush()
            answer = self._connected().upload_blob(f'/dev/fd/{file.fileno()}', self._container(), dict(descriptor))
        self._demand(answer, f'upload of blob {descriptor["digest"]}')
        return descriptor

    def push_manifest(self, tag: str, manifest: Mapping[str, Any]) -> str:
        """Store the manifest under the tag; returns its digest. The last step of a push: before it there is no tag."""
        content = json.dumps(manifest, separators=(',', ':'), sort_keys=True).encode()
        headers = {'Content-Type': MANIFEST_TYPE}
        self._demand(self._request('PUT', f'manifests/{tag}', data=content, headers=headers), f'manifest {tag}')
        return f'sha256:{hashlib.sha256(content).hexdigest()}'

    def _container(self) -> oras.container.Container:
        return oras.container.Container(f'{self.host}/{self.path}', registry=self.host)

    def _request(self, method: str, below: str, **options: Any) -> requests.Response:
        with self._errors():
            return self._connected().do_request(f'https://{self.host}/v2/{self.path}/{below}', method, **options)

    def _connected(self) -> _Provider:
        """The oras client; which kind of login the registry wants is asked once."""
        if self._provider is None:
            verify = str(self.ca) if self.ca else True
            session = open_session(self.host)
            with self._errors():
                challenge = session.get(f'https://{self.host}/v2/', verify=verify).headers.get('WWW-Authenticate', '')
            backend = 'token' if challenge.lower().startswith('bearer') else 'basic'
            if backend == 'token' and self.credentials.user:
                login_endpoint(self.host, challenge)
            provider = _Provider(self.host, tls_verify=verify, auth_backend=backend)
            provider.session = provider.auth.session = session
            # set_basic_auth also for anonymous access would send an empty user
            if self.credentials.user:
                provider.auth.set_basic_auth(self.credentials.user, self.credentials.password)
            elif backend == 'basic':
                provider.auth._basic_auth = None
            self._provider = provider
        return self._provider

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What requests and oras raise, in our words."""
        try:
            with asking(self.host):
                yield
        except ValueError as error:  # oras: the registry asked for a login that we have not, or opened no upload
            status = self._provider.status if self._provider else 0
            if status < 400 or status in (401, 403):
                raise CredentialProblem('was refused by', f'registry {self}', str(error), _LOGIN) from error
            said = f'HTTP {status} {error}'
            raise InfrastructureProblem(
                'cannot store', f'a blob in {self}', said, 'see the log of the registry'
            ) from error

    def _demand(self, answer: requests.Response, what: str) -> None:
        if answer.status_code < 300:
            return
        with self._errors():
            body = next(answer.iter_content(300), b'').decode('utf-8', 'replace')
        said = f'HTTP {answer.status_code} {body}'
        if answer.status_code in (401, 403):
            raise CredentialProblem('was refused', f'{what} in {self}', said, _LOGIN)
        raise InfrastructureProblem('cannot get or store', f'{what} in {self}', said, 'see the log of the registry')

    def _content(self, answer: requests.Response, what: str, most: int) -> bytes:
        content = b''
        with self._errors():
            for piece in answer.iter_content(1 << 20):
                content += piece
                if len(content) > most:
                    answer.close()
                    limit = f'more than {most >> 20} MiB'
                    raise InfrastructureProblem('will not read', f'{what} in {self}', limit, 'is it what it should be?')
        return content

    def _object(self, content: bytes, what: str) -> dict[str, Any]:
        try:
            plain = json.loads(content)
        except (ValueError, RecursionError):
            plain = None
        if not isinstance(plain, dict):
            said = f'no JSON object but {content[:80].decode("utf-8", "replace")!r}'
            raise InfrastructureProblem(
                'cannot read', f'{what} in {self}', said, 'is there a registry at this address?'
            )
        return plain


_LOGIN = 'set OCI_USERNAME and OCI_PASSWORD of an account that may push there'


def _short(error: Exception) -> str:
    """The innermost cause, without the addresses of Python objects."""
    cause: BaseException = error
    while isinstance(cause.args[0] if cause.args else None, BaseException):
        cause = cause.args[0]
    reason = getattr(cause, 'reason', None)
    return str(reason or cause).rpartition('>: ')[2]
