"""A repository in an OCI registry: bounded requests, TLS with any CA, errors in the words of this project."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import oras.container  # type: ignore[import-untyped]
import oras.provider  # type: ignore[import-untyped]
import requests
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
MOST_BLOB = 256 * 1024 * 1024


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


class _Provider(oras.provider.Registry):  # type: ignore[misc]
    """oras without its own retries: they sleep up to two minutes, also on errors that do not pass."""

    def do_request(self, *words: Any, **options: Any) -> requests.Response:
        return oras.provider.Registry.do_request.__wrapped__(self, *words, **options)  # type: ignore[no-any-return]


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

    def manifest(self, tag: str) -> tuple[dict[str, Any], str] | None:
        """The manifest of a tag and its digest, or None when the tag does not exist."""
        answer = self._request('GET', f'manifests/{tag}', headers={'Accept': ACCEPT})
        if answer.status_code == 404:
            return None
        self._demand(answer, f'manifest {tag}')
        return json.loads(answer.content), f'sha256:{hashlib.sha256(answer.content).hexdigest()}'

    def blob(self, digest: str) -> bytes:
        """Content of a blob, verified against its digest."""
        answer = self._request('GET', f'blobs/{digest}')
        self._demand(answer, f'blob {digest}')
        found = f'sha256:{hashlib.sha256(answer.content).hexdigest()}'
        if found != digest:
            raise InfrastructureProblem(
                'got other content than stored for',
                f'blob {digest} of {self}',
                found,
                'ask the operator of the registry',
            )
        return answer.content

    def push_blob(self, content: bytes, media_type: str) -> dict[str, Any]:
        """Upload a blob unless it is there; returns its descriptor."""
        descriptor = {
            'mediaType': media_type,
            'digest': f'sha256:{hashlib.sha256(content).hexdigest()}',
            'size': len(content),
        }
        with self._errors(), TemporaryDirectory(prefix='scs-ci-blob-') as work:
            path = Path(work) / 'blob'
            path.write_bytes(content)
            answer = self._connected().upload_blob(str(path), self._container(), dict(descriptor))
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
            session = requests.Session()
            session.mount('https://', _Adapter(max_retries=RETRY))
            # A proxy of the environment is for the outside world; credentials of ~/.netrc are not meant either.
            session.trust_env = not self.host.startswith(('127.', 'localhost', '[::1]'))
            with self._errors():
                challenge = session.get(f'https://{self.host}/v2/', verify=verify).headers.get('WWW-Authenticate', '')
            backend = 'token' if challenge.lower().startswith('bearer') else 'basic'
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
            yield
        except requests.exceptions.SSLError as error:
            raise InfrastructureProblem(
                'cannot trust', f'registry {self.host}', _short(error), 'name the right CA file with --ca'
            ) from error
        except requests.exceptions.RequestException as error:
            raise InfrastructureProblem(
                'cannot reach', f'registry {self.host}', _short(error), 'is it running, is the address right?'
            ) from error
        except ValueError as error:  # oras: the registry asked for a login that we have not
            raise CredentialProblem('was refused by', f'registry {self}', str(error), _LOGIN) from error

    def _demand(self, answer: requests.Response, what: str) -> None:
        if answer.status_code < 300:
            return
        said = f'HTTP {answer.status_code} {answer.text[:300]}'
        if answer.status_code in (401, 403):
            raise CredentialProblem('was refused', f'{what} in {self}', said, _LOGIN)
        raise InfrastructureProblem('cannot get or store', f'{what} in {self}', said, 'see the log of the registry')


_LOGIN = 'set OCI_USERNAME and OCI_PASSWORD of an account that may push there'


def _short(error: Exception) -> str:
    """The innermost cause, without the addresses of Python objects."""
    cause: BaseException = error
    while isinstance(cause.args[0] if cause.args else None, BaseException):
        cause = cause.args[0]
    reason = getattr(cause, 'reason', None)
    return str(reason or cause).rpartition('>: ')[2]
