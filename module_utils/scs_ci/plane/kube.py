"""A thin layer over the official Kubernetes client: plain dicts in and out, refusals in the server's own words.

The client loads a module for each kind of Kubernetes, which takes longer than most commands: so it is imported by what
talks to a server, and by nothing that only knows how to.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
import yaml

from ..core.clock import Clock, SystemClock
from ..core.errors import ToolProblem, UsageProblem
from .conditions import condition, conditions, false_conditions, is_current, is_true

__all__ = [
    'Api', 'Refused', 'Unreachable',
    'condition', 'conditions', 'false_conditions', 'is_current', 'is_true',
]  # fmt: skip

FIELD_MANAGER = 'scs-ci'
# Seconds for one request. Admission goes through up to four webhooks with 10 s each; a slow host needs half of that.
REQUEST_SECONDS = 30
# Seconds for the question "are you there": the answer comes at once or the server is not ready.
READY_SECONDS = 2
# The server answers 429 while it sets up the storage of a new kind (a second or two) or sheds load.
TOO_MANY = 429
BUSY_SECONDS = 20
BUSY_PAUSE = 1
Objects = list[dict[str, Any]]
LOOPBACK = frozenset({'127.0.0.1', 'localhost', '::1'})


class Refused(ToolProblem):
    """The API server answered with an error. status: HTTP code; word: its reason code ('Invalid', 'Conflict', …)."""

    def __init__(self, what: str, subject: str, answer: str, advice: str, status: int = 0, word: str = '') -> None:
        super().__init__(what, subject, answer, advice)
        self.status, self.word = status, word


class Unreachable(ToolProblem):
    """No answer from the API server."""


class Api:
    """One API server, by kubeconfig. Kinds are found by discovery when they are first used, also those of new CRDs.

    Methods raise Refused (the server said no) or Unreachable (it said nothing), both ToolProblems. Usable from threads.
    """

    def __init__(self, kubeconfig: Path, clock: Clock | None = None) -> None:
        self.kubeconfig, self.clock = kubeconfig, clock or SystemClock()
        self.client = _client(kubeconfig)
        self._dynamic: Any = None
        self._lock = threading.RLock()
        self.last_answer = ''  # why ready() said no; '' before and when it said yes

    @property
    def server(self) -> str:
        return str(self.client.configuration.host)

    def ready(self) -> bool:
        """Whether the API server says that it is ready, right now."""
        try:
            self.call('GET', '/readyz', timeout=READY_SECONDS, parse=False)
        except (Refused, Unreachable) as error:
            self.last_answer = error.answer
            return False
        self.last_answer = ''
        return True

    def version(self) -> str:
        """The server's version, e.g. 'v1.34.10'."""
        return str(self.call('GET', '/version')['gitVersion'])

    def apply(self, obj: Mapping[str, Any], dry_run: bool = False) -> dict[str, Any]:
        """Server-side apply, forced, as field manager scs-ci; returns the object as the server sees it then.

        dry_run: admission and defaults happen, nothing is stored.
        """
        meta = obj['metadata']
        options = {'dry_run': 'All'} if dry_run else {}
        return self._do(
            'dry-run' if dry_run else 'apply',
            subject(obj['kind'], meta['name'], meta.get('namespace')),
            obj['apiVersion'],
            obj['kind'],
            lambda resource: self._client.server_side_apply(
                resource,
                body=dict(obj),
                name=meta['name'],
                namespace=meta.get('namespace') or ('default' if resource.namespaced else None),
                field_manager=FIELD_MANAGER,
                force_conflicts=True,
                _request_timeout=REQUEST_SECONDS,
                **options,
            ),
        )

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        """The object, or None when it (or its kind) does not exist."""
        return self._if_there(
            'get',
            subject(kind, name, namespace),
            api_version,
            kind,
            lambda r: self._client.get(r, name=name, namespace=namespace, _request_timeout=REQUEST_SECONDS),
        )

    def list(
        self, api_version: str, kind: str, namespace: str | None = None, selector: str = '', fields: str = ''
    ) -> Objects:
        """All objects, of one namespace or of all; chosen by labels and fields. An unknown kind is Refused."""
        found = self._do(
            'list',
            subject(kind, '', namespace),
            api_version,
            kind,
            lambda r: self._client.get(
                r,
                namespace=namespace,
                label_selector=selector or None,
                field_selector=fields or None,
                _request_timeout=REQUEST_SECONDS,
            ),
        )
        # Items of a list carry no kind when it is built in; with it they are objects like any other.
        return [{'apiVersion': api_version, 'kind': kind, **item} for item in found.get('items') or []]

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> bool:
        """Ask for deletion in the background; False when there is nothing to delete. Does not wait for finalizers."""
        options = {'apiVersion': 'v1', 'kind': 'DeleteOptions', 'propagationPolicy': 'Background'}
        answer = self._if_there(
            'delete',
            subject(kind, name, namespace),
            api_version,
            kind,
            lambda r: self._client.delete(
                r, name=name, namespace=namespace, body=options, _request_timeout=REQUEST_SECONDS
            ),
        )
        return answer is not None

    def annotate(self, api_version: str, kind: str, name: str, namespace: str, annotations: Mapping[str, str]) -> bool:
        """Set annotations of an object that exists; False when it does not."""
        body = {'metadata': {'annotations': dict(annotations)}}
        answer = self._if_there(
            'annotate',
            subject(kind, name, namespace),
            api_version,
            kind,
            lambda r: self._client.patch(
                r,
                body=body,
                name=name,
                namespace=namespace,
                content_type='application/merge-patch+json',
                _request_timeout=REQUEST_SECONDS,
            ),
        )
        return answer is not None

    def events(self, namespace: str, kind: str | None = None, name: str | None = None) -> Objects:
        """Events of a namespace, oldest first; about one kind or one object when asked."""
        wanted = {'involvedObject.kind': kind, 'involvedObject.name': name}
        chosen = ','.join(f'{field}={value}' for field, value in wanted.items() if value)
        found = self.list('v1', 'Event', namespace, fields=chosen)
        return sorted(found, key=lambda e: e.get('lastTimestamp') or e.get('eventTime') or '')

    def kinds(self, api_version: str) -> dict[str, bool]:
        """Kinds that the server serves in that version: kind to "is namespaced". An unknown version gives {}."""
        root = '/apis/' if '/' in api_version else '/api/'
        try:
            answer = self.call('GET', root + api_version)
        except Refused as refused:
            if refused.status == 404:
                return {}
            raise
        return {r['kind']: r['namespaced'] for r in answer['resources'] if '/' not in r['name']}

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        accept: str = 'application/json',
        timeout: float = REQUEST_SECONDS,
        parse: bool = True,
    ) -> Any:
        """A raw request, for what the dynamic client has no word for; returns parsed JSON, or text with parse=False."""
        headers = {'Accept': accept, 'Content-Type': 'application/json'}
        self.client.update_params_for_auth(headers, [], ['BearerToken'])
        try:
            answer = self.client.rest_client.pool_manager.request(
                method,
                self.server + path,
                body=None if body is None else json.dumps(body),
                headers=headers,
                timeout=urllib3.Timeout(timeout),
            )
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(method.lower(), path, error) from error
        text = answer.data.decode(errors='replace')
        if answer.status >= 300:
            raise _refused(method.lower(), path, answer.status, text)
        return json.loads(text) if parse else text

    @property
    def _client(self) -> Any:
        """The dynamic client, made when first needed: it asks the server, which may still be starting."""
        from kubernetes import dynamic  # type: ignore[import-untyped]

        with self._lock:
            if self._dynamic is None:
                # The client's own cache lies in /tmp under the server's address: one for all planes on loopback.
                self._cache = tempfile.TemporaryDirectory(prefix='scs-ci-discovery-')
                self._dynamic = dynamic.DynamicClient(self.client, cache_file=f'{self._cache.name}/cache.json')
            return self._dynamic

    def _resource(self, api_version: str, kind: str) -> Any:
        # The prefix spares the client a walk through every API group when the group is the core one.
        prefix = 'apis' if '/' in api_version else 'api'
        with self._lock:
            return self._client.resources.get(prefix=prefix, api_version=api_version, kind=kind)

    def _if_there(self, verb: str, whom: str, api_version: str, kind: str, action: Any) -> dict[str, Any] | None:
        """As _do(), but None when the object (or its kind) does not exist."""
        try:
            return self._do(verb, whom, api_version, kind, action)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def _do(self, verb: str, whom: str, api_version: str, kind: str, action: Any) -> dict[str, Any]:
        """One operation, repeated while the server is busy."""
        deadline = self.clock.monotonic() + BUSY_SECONDS
        while True:
            try:
                return self._once(verb, whom, api_version, kind, action)
            except Refused as refused:
                if refused.status != TOO_MANY or self.clock.monotonic() > deadline:
                    raise
                self.clock.sleep(BUSY_PAUSE)

    def _once(self, verb: str, whom: str, api_version: str, kind: str, action: Any) -> dict[str, Any]:
        """Find the resource, act, and translate every way the client knows to fail."""
        from kubernetes import client
        from kubernetes.dynamic import exceptions as refusals  # type: ignore[import-untyped]

        try:
            answer = action(self._resource(api_version, kind))
        except (refusals.ResourceNotFoundError, refusals.ResourceNotUniqueError) as error:
            raise Refused(
                f'cannot {verb}',
                whom,
                f'the API server has no kind {kind} in {api_version}',
                "compare the versions with 'scs-ci plane status'",
                404,
                'NoKind',
            ) from error
        except refusals.DynamicApiError as error:
            raise _refused(verb, whom, int(error.status or 0), _text(error.body)) from error
        except client.ApiException as error:
            raise _refused(verb, whom, int(error.status or 0), _text(error.body)) from error
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(verb, whom, error) from error
        found: dict[str, Any] = answer.to_dict()
        return found

    def _unreachable(self, verb: str, whom: str, error: Exception) -> Unreachable:
        return Unreachable(
            f'cannot {verb}',
            whom,
            f'{self.server}: {error}',
            "look at 'scs-ci plane status' and start it with 'scs-ci plane up'",
        )


def subject(kind: str, name: str, namespace: str | None) -> str:
    """An object for people: 'Cluster ns/name', 'Namespace name', 'Cluster in ns'."""
    if name:
        return f'{kind} {namespace}/{name}' if namespace else f'{kind} {name}'
    return f'{kind} in {namespace}' if namespace else kind


def _client(kubeconfig: Path) -> Any:
    if not kubeconfig.is_file():
        raise UsageProblem(
            'cannot read', f'kubeconfig {kubeconfig}', 'no such file', "start the plane: 'scs-ci plane up'"
        )
    from kubernetes import client, config

    settings = client.Configuration()
    settings.retries = False  # the caller decides what to repeat; urllib3 would also print a warning per attempt
    try:
        config.load_kube_config(str(kubeconfig), client_configuration=settings)
    except (config.ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, AttributeError) as error:
        # the last two are how the loader meets a file that is no mapping, or has other things where mappings belong
        raise UsageProblem('cannot use', f'kubeconfig {kubeconfig}', str(error), 'name a valid kubeconfig') from error
    if urlsplit(settings.host).hostname in LOOPBACK:
        # The client takes HTTPS_PROXY from the environment and forgets that loopback never goes through it.
        settings.proxy = None
    return client.ApiClient(settings)


def _text(body: Any) -> str:
    return body.decode(errors='replace') if isinstance(body, bytes) else str(body or '')


def _refused(verb: str, whom: str, status: int, body: str) -> Refused:
    """The server's own message and reason out of its Status object, or whatever text came instead."""
    try:
        answer = json.loads(body)
        message, word = answer.get('message') or body, answer.get('reason') or ''
    except (ValueError, AttributeError):
        message, word = body or f'HTTP {status}', ''
    return Refused(f'cannot {verb}', whom, f'{message} (HTTP {status})', _advice(status), status, word)


def _advice(status: int) -> str:
    if status in (401, 403):
        return 'look whether the credential or an admission webhook refused it'
    if status >= 500:
        return "look at 'scs-ci plane status' and the controllers' logs"
    return 'fix the object'
