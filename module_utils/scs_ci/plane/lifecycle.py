"""Start and stop a management plane. Starting is idempotent: what runs as wanted is left alone."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ..core import files, shape
from ..core.clock import Clock, Expired, SystemClock, wait
from ..core.errors import ToolProblem, UsageProblem
from ..core.progress import Progress
from . import components, existing, manifests, programs, services, sockets, store, trust
from .conditions import condition, is_true
from .kube import Api
from .layout import SERVER, Layout, Settings
from .processes import Processes, Service

# Limits in seconds. On two free cores these take 3, 4, 1 and 3 s; on two that ten Kubernetes machines had at the same
# time the second one took more than 60. A process that ends is noticed at once, so nothing waits for these in vain.
APISERVER_SECONDS = 120
DEFINITIONS_SECONDS = 180
CONTROLLER_SECONDS = 120
EXTENSION_SECONDS = 120
PAUSE = 0.05  # between two questions to a process on loopback: they cost nothing, a start takes seconds
# Another `up` takes at most as long as the limits above together.
LOCK_SECONDS = 540
# etcd and the registry write, and etcd refuses everything when it cannot. A run needs less than 200 MB.
FREE_BYTES = 512 * 1024 * 1024


class Plane:
    """The plane of one state directory."""

    def __init__(self, state: Path, progress: Progress | None = None, clock: Clock | None = None) -> None:
        self.layout = Layout(state.absolute())
        self.clock = clock or SystemClock()
        self.progress = progress or Progress(clock=self.clock)
        self.processes = Processes(self.layout, self.clock)

    def exists(self) -> bool:
        """Whether the state directory is that of a plane, running or not."""
        return self.layout.records.is_dir()

    def settings(self) -> Settings:
        """The settings of the last `up`; UsageProblem when there was none."""
        try:
            content = files.read_json(self.layout.settings)
        except FileNotFoundError:
            raise UsageProblem(
                'cannot find',
                f'management plane in {self.layout.state}',
                'it was never started',
                "start it: 'scs-ci plane up'",
            ) from None
        return shape.load(Settings, content, f'file {self.layout.settings}')

    def up(self, settings: Settings) -> dict[str, str]:
        """Start what does not run as wanted and wait until all of it works; returns the versions of the components."""
        if settings.kubeconfig:
            return self._up_beside(settings)
        versions = programs.versions(Path(settings.tools), settings.cso)
        with self._locked():
            self._prepare(settings, versions)
            others = self._start_store(settings)
            objects = manifests.load(self.layout, Path(settings.tools))
            crds = list(map(components.marked, objects.crds))
            api = self._start_api(others, crds)
            self._install(api, crds)
            self._start_controllers(settings)
            self._connect(api, objects)
        self.progress.say('management plane ready')
        return versions

    def _up_beside(self, settings: Settings) -> dict[str, str]:
        """Only the candidate registry, beside a management cluster that is there already and is checked."""
        versions = existing.check(Api(self.kubeconfig(settings)))
        versions['registry'] = programs.version_of(programs.path_of(Path(settings.tools), 'registry'))
        with self._locked():
            self._prepare(settings, versions)
            self._start(services.registry(self.layout, settings))
            self._wait_for('registry', lambda: sockets.listening(5443), CONTROLLER_SECONDS)
        self.progress.say(f'management cluster {settings.kubeconfig} and registry ready')
        return versions

    def kubeconfig(self, settings: Settings) -> Path:
        """Of the existing management cluster, or the plane's own."""
        return Path(settings.kubeconfig) if settings.kubeconfig else self.layout.kubeconfig

    def down(self, delete: bool = False) -> list[str]:
        """Stop every process; delete: also all data. Returns the names of those that had to be killed."""
        if not self.layout.state.is_dir():
            return []
        with self._locked():
            killed = self.processes.stop()
        if delete:
            self._delete_state()
        return killed

    def forget(self, space: str) -> int | None:
        """Keep the controllers from making the clusters of a namespace again, which a purge deletes in the cloud.

        Returns how many were forgotten; None when the plane does not run: then its next start forgets them first.
        """
        with self._locked():
            if self.processes.alive('etcd'):
                with contextlib.suppress(ToolProblem):  # it runs where this command has no way to it
                    return store.forget(space)
            files.write_atomic(self.layout.purged / space, '')
        return None

    def _delete_state(self) -> None:
        """Only a directory that is a plane's is deleted: a mistyped --state must not cost anybody's files."""
        if not self.exists():
            raise UsageProblem(
                'will not delete', f'directory {self.layout.state}', 'it holds no plane', 'check --state'
            )
        shutil.rmtree(self.layout.state, ignore_errors=False)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One `up` or `down` at a time; a killed holder's lock vanishes with it."""
        try:
            self.layout.state.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = self.layout.lock.open('w')
        except OSError as error:
            raise ToolProblem(
                'cannot use',
                f'state directory {self.layout.state}',
                error.strerror or str(error),
                'choose another one with --state, or become root',
            ) from error
        with file:
            try:
                wait(lambda: _try_lock(file), LOCK_SECONDS, 'lock', pause=0.2, clock=self.clock)
            except Expired as error:
                raise ToolProblem(
                    'cannot lock',
                    f'state directory {self.layout.state}',
                    f'another command has held it for {error.seconds:.0f} s',
                    'wait for it or end it',
                ) from error
            yield

    def _prepare(self, settings: Settings, versions: dict[str, str]) -> None:
        from . import certificates  # only to start: what makes them takes long to load

        self._demand_space()
        for place in (self.layout.records, self.layout.logs):
            place.mkdir(parents=True, exist_ok=True)
        if certificates.make(self.layout, self.clock.now()):
            # Running processes would go on with the old CA; nothing of theirs fits the new one.
            self.processes.stop()
            self.progress.say('certificates made')
        self.processes.stop_strays()  # of an `up` that was killed; they hold the ports
        # A plane of its own may have run here before an existing management cluster was named, or the other way round.
        self.processes.stop(set(self.processes.records()) - set(service_names(settings)))
        trust.write_bundle(self.layout, settings.proxy_ca)
        files.write_json(self.layout.settings, shape.dump(settings), 0o600)
        files.write_json(self.layout.versions, versions)
        files.write_json(self.layout.kubeconfig, kubeconfig(self.layout), 0o600)

    def _demand_space(self) -> None:
        free = shutil.disk_usage(self.layout.state).free
        if free < FREE_BYTES:
            raise ToolProblem(
                'cannot start',
                f'management plane in {self.layout.state}',
                f'disk full: {free // 2**20} MiB free, {FREE_BYTES // 2**20} MiB needed',
                'free disk space or choose another place with --state',
            )

    def _start_store(self, settings: Settings) -> list[Service]:
        """Start etcd; returns what is to be started once the store is ready: the API server and the registry."""
        make = (services.etcd, services.apiserver, services.registry)
        wanted = [service(self.layout, settings) for service in make]
        if any(map(self.processes.changed, wanted)):
            # Replacing what everything else is connected to, under the feet of it, takes longer than starting again.
            self.processes.stop()
        etcd, *others = wanted
        self._start(etcd)
        return others

    def _start_api(self, others: list[Service], crds: list[dict[str, Any]]) -> Api:
        """Start the others once the store holds what has to be there before them."""
        self._wait_for('etcd', lambda: sockets.listening(2379), APISERVER_SECONDS)
        self._forget_purged()
        if not self.processes.alive('apiserver') and store.is_new():
            store.put_definitions(crds, self.clock.now())
            self.progress.say(f'{len(crds)} definitions put into the new store')
        for service in others:
            self._start(service)
        api = Api(self.layout.kubeconfig)
        self._wait_for('apiserver', api.ready, APISERVER_SECONDS, why=lambda: api.last_answer)
        return api

    def _forget_purged(self) -> None:
        """Before the API server answers: controllers may have outlived it, and would go on where they were."""
        for mark in sorted(self.layout.purged.glob('*')):
            self.progress.say(f'{store.forget(mark.name)} clusters of {mark.name} forgotten, for it was purged')
            mark.unlink()

    def _install(self, api: Api, crds: list[dict[str, Any]]) -> None:
        """Definitions before controllers: they look for their kinds once, when they start."""
        components.namespaces(api, manifests.NAMESPACES)
        written = components.install_definitions(api, crds)
        self._wait_for('apiserver', lambda: components.served(api, crds), DEFINITIONS_SECONDS, 'definitions')
        self.progress.say(f'{written} of {len(crds)} definitions written')

    def _start_controllers(self, settings: Settings) -> None:
        wanted = [services.controller_manager(self.layout, settings)]
        wanted += [services.controller(name, self.layout, settings) for name in services.CONTROLLERS]
        wanted += [services.orc(self.layout, settings), services.cso(self.layout, settings)]
        for service in wanted:
            self._start(service)
        for service in wanted:
            if service.health:
                self._wait_for(service.name, partial(sockets.healthy, service.health), CONTROLLER_SECONDS)
        self._wait_for('registry', lambda: sockets.listening(5443), CONTROLLER_SECONDS)
        self._wait_for('kcm', lambda: sockets.listening(10257), CONTROLLER_SECONDS)

    def _connect(self, api: Api, objects: manifests.Objects) -> None:
        """Webhooks and extensions last: while their servers are down, every write would be refused."""
        components.apply_all(api, objects.webhooks)
        self.progress.say(f'{len(objects.webhooks)} webhook configurations applied')
        components.apply_all(api, objects.extensions)
        seen: dict[str, Any] = {}

        def discovered() -> bool:
            nonlocal seen
            seen = api.get(manifests.EXTENSION_VERSION, 'ExtensionConfig', manifests.EXTENSION) or {}
            return is_true(seen, 'Discovered')

        self._wait_for(
            'cso', discovered, EXTENSION_SECONDS, 'hooks', lambda: condition(seen, 'Discovered').get('message', '')
        )

    def _start(self, service: Service) -> None:
        if self.processes.start(service):
            self.progress.say('started', service.name)

    def _wait_for(
        self,
        name: str,
        ready: Callable[[], bool],
        seconds: float,
        part: str = '',
        why: Callable[[], str] | None = None,
    ) -> None:
        """Wait until ready() is true; a process that ends meanwhile ends the wait with its last words."""

        def poll() -> bool:
            if ready():
                return True
            self.processes.demand_alive(name)
            return False

        label = f'{name} {part}'.strip()
        try:
            wait(poll, seconds, label, pause=PAUSE, clock=self.clock)
        except Expired as error:
            words = (why() if why else '') or self.processes.last_lines(name)
            raise ToolProblem(
                'gave up waiting for',
                label,
                f'not ready within {seconds:.0f} s: {words}',
                f'see {self.layout.log(name)}',
            ) from error
        self.progress.say('ready', label)


def service_names(settings: Settings) -> tuple[str, ...]:
    """Names of the processes that a plane with these settings consists of, in the order of their start."""
    if settings.kubeconfig:
        return ('registry',)
    return ('etcd', 'apiserver', 'registry', 'kcm', *services.CONTROLLERS, 'orc', 'cso')


def kubeconfig(layout: Layout) -> dict[str, Any]:
    """Administrator's kubeconfig. It names the key file: keys carried inside are copied to /tmp by clients."""
    pki = layout.pki
    return {
        'apiVersion': 'v1',
        'kind': 'Config',
        'current-context': 'plane',
        'contexts': [{'name': 'plane', 'context': {'cluster': 'plane', 'user': 'admin'}}],
        'clusters': [{'name': 'plane', 'cluster': {'server': SERVER, 'certificate-authority': f'{pki}/ca.crt'}}],
        'users': [
            {'name': 'admin', 'user': {'client-certificate': f'{pki}/admin.crt', 'client-key': f'{pki}/admin.key'}}
        ],
    }


def _try_lock(file: Any) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
