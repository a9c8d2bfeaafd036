"""What the Ansible modules call: plain parameters in, plain results out. No Ansible here."""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, Protocol

from ..core import shape
from ..core.clock import SystemClock
from ..core.errors import Problem, UsageProblem
from ..core.outcome import Outcome
from ..core.records import Record, RunInfo
from ..core.run import RunDirectory, timestamp
from . import connect, handover, inventory, keys, nodes, preflight, purge, ssh, stages, topology
from .inventory import Resource
from .marks import Mark
from .owned import Owned
from .stages import Options

# Options that all three modules have. Either a run directory, or the id of a run with its owner and expiry.
SPEC: dict[str, dict[str, Any]] = {
    'run_dir': {'type': 'path'},
    'run_id': {'type': 'str'},
}
TIMEOUT: dict[str, dict[str, Any]] = {'timeout': {'type': 'float', 'default': nodes.TIMEOUT}}
# Flavors, images and clusters are checked against the dataclasses when they are read, with better messages.
GROUP: dict[str, dict[str, Any]] = {
    'name': {'type': 'str', 'default': 'node'},
    'count': {'type': 'int', 'default': 1},
    'flavor': {'type': 'dict'},
    'image': {'type': 'dict'},
    'floating_ip': {'type': 'bool', 'default': True},
    'zones': {'type': 'list', 'elements': 'str'},
    'user_data': {'type': 'str'},
    'volumes': {'type': 'list', 'elements': 'dict'},
    'volume_type': {'type': 'str'},
    'security': {'type': 'list', 'elements': 'dict'},
    'server_group': {'type': 'str'},
}
TOPOLOGY: dict[str, dict[str, Any]] = {
    'topology': {
        'type': 'dict',
        'options': {
            'groups': {'type': 'list', 'elements': 'dict', 'options': GROUP},
            'clusters': {'type': 'dict'},
            'network': {'type': 'str'},
            'external': {'type': 'str'},
            'cidr': {'type': 'str', 'default': '10.254.0.0/24'},
            'dns': {'type': 'list', 'elements': 'str'},
        },
    },
    'public_key': {'type': 'path'},
}
HOURS = 6  # life of nodes that are provisioned without a run directory: longer than any job


class Module(Protocol):
    """An AnsibleModule, as far as its end goes."""

    def exit_json(self, **result: Any) -> NoReturn: ...

    def fail_json(self, msg: str, **result: Any) -> NoReturn: ...


def answer(module: Module, work: Callable[[], dict[str, Any]]) -> NoReturn:
    """How every module ends: with what work() returns, as a failure when that says so or a Problem is raised."""
    try:
        result = work()
    except Problem as problem:
        module.fail_json(msg=str(problem), verdict=problem.verdict)
    if result.pop('failed', False):
        module.fail_json(**result)
    module.exit_json(**result)


def options(parameters: Mapping[str, Any]) -> Options:
    """Options from module parameters."""
    given = topology.without_defaults(parameters)
    return Options(
        cloud=given.get('cloud'),
        topology=topology.parse(given.get('topology')),
        key_dir=Path(given['key_dir']) if 'key_dir' in given else None,
        public_key=Path(given['public_key']) if 'public_key' in given else None,
        timeout=given.get('timeout', nodes.TIMEOUT),
        seconds=given.get('seconds', preflight.SECONDS),
        host_keys=given.get('host_keys', ssh.CONSOLE),
    )


def run_nodes(parameters: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """scs_nodes: present or absent."""
    chosen = options(parameters)
    if parameters['state'] == 'absent':
        return _absent(_cloud(chosen, parameters), _run_id(parameters), chosen.timeout, check_mode)
    if parameters.get('run_dir') and not check_mode:
        record = stages.run_provision(open_run(parameters['run_dir']), chosen)
        facts = record.facts
        return _verdict(record) | {
            'changed': facts.get('changed', False),
            'plan': facts.get('plan', []),
            'nodes': facts.get('nodes', []),
            'chosen': facts.get('chosen', []),
            'hosts': facts.get('hosts', {}),
            'zuul_nodes': facts.get('zuul_nodes', []),
            'troubles': facts.get('troubles', {}),
        }
    cloud = connect.connect(_cloud(chosen, parameters))
    request = _request(parameters, chosen)
    result = nodes.preview(cloud, request) if check_mode else nodes.present(cloud, request)
    return result.summary(request.key_dir / handover.KNOWN_HOSTS, cloud.name)


def run_preflight(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """scs_preflight: never changes anything in the cloud."""
    chosen = options(parameters)
    if parameters.get('run_dir'):
        record = stages.run_preflight(open_run(parameters['run_dir']), chosen)
        return _verdict(record) | {
            'changed': False,
            **{k: record.facts.get(k) for k in ('rows', 'chosen', 'shortfalls')},
        }
    cloud = connect.connect(_cloud(chosen, parameters))
    versions = list(parameters.get('kubernetes') or ())
    asked = chosen.preflight(parameters.get('upgraded') or ())
    found = preflight.check(cloud, _run_id(parameters), chosen.topology, versions, asked)
    problem = found.problem()
    failure = {'failed': True, 'msg': str(problem), 'verdict': problem.verdict} if problem else {}
    return {'changed': False, **found.data(), **failure}


def run_purge(parameters: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """scs_purge: everything of a run."""
    chosen = options(parameters)
    if parameters.get('run_dir') and not check_mode:
        directory = open_run(parameters['run_dir'])
        record = stages.run_purge(directory, chosen)
        left = directory.leftovers()
        resources = shape.dump(left.resources) if left else []
        deleted = record.facts.get('deleted', {})
        return _verdict(record) | {'changed': bool(deleted), 'deleted': deleted, 'leftovers': resources}
    cloud, run = connect.connect(_cloud(chosen, parameters)), _run_id(parameters)
    if check_mode:
        seen, _ = inventory.look(cloud)
        shown = purge.preview(run, seen)
        keep = [_row('keep', k.resource, k.reason) for k in shown.keep]
        return _plan(shown.delete) | {'kept': keep, 'unknown': shown.unknown}
    return _purged(purge.Purge(cloud, run, say=_silent, timeout=chosen.timeout).execute(), run, cloud.name)


def open_run(path: str) -> RunDirectory:
    """The run directory; progress goes to progress.log only, for a module's standard error is Ansible's."""
    return RunDirectory.open(Path(path), stream=io.StringIO())


def _absent(name: str, run: str, timeout: float, check_mode: bool) -> dict[str, Any]:
    cloud = connect.connect(name)
    if check_mode:
        return _plan(purge.plan(run, inventory.take(cloud), purge.nodes_only))
    worker = purge.Purge(cloud, run, say=_silent, timeout=timeout, only=purge.nodes_only)
    return _purged(worker.execute(), run, cloud.name)


def _plan(found: tuple[Owned, ...]) -> dict[str, Any]:
    rows = [_row('delete', o.resource, o.reason) for o in found]
    before = {f'{row["kind"]} {row["id"]}': row['name'] for row in rows}
    return {
        'changed': bool(rows),
        'plan': rows,
        'deleted': {},
        'leftovers': [],
        'diff': {'before': before, 'after': {}},
    }


def _row(action: str, resource: Resource, reason: str) -> dict[str, str]:
    return {
        'action': action,
        'kind': resource.kind,
        'name': resource.name,
        'id': resource.id,
        'reason': reason,
    }


def _purged(result: purge.Result, run: str, cloud: str) -> dict[str, Any]:
    problem = stages.leftover_problem(result, run, cloud)
    failure = {'failed': True, 'msg': str(problem), 'verdict': problem.verdict} if problem else {}
    changed = bool(result.deleted)
    return {'changed': changed, 'plan': _plan(result.found)['plan'], 'deleted': result.counts(),
            'leftovers': shape.dump(result.kept), **failure}  # fmt: skip


def _verdict(record: Record) -> dict[str, Any]:
    """Of a stage: its record, and the failure in Ansible's words when it did not pass."""
    result: dict[str, Any] = {'record': shape.dump(record)}
    if record.outcome is not Outcome.PASSED:
        advice = f'\n  next: {record.advice}' if record.advice else ''
        result |= {'failed': True, 'msg': f'{record.reason}{advice}', 'verdict': record.verdict}
    return result


def _info(parameters: Mapping[str, Any]) -> RunInfo | None:
    return open_run(parameters['run_dir']).info if parameters.get('run_dir') else None


def _run_id(parameters: Mapping[str, Any]) -> str:
    info = _info(parameters)
    return info.id if info else str(parameters['run_id'])


def _cloud(chosen: Options, parameters: Mapping[str, Any]) -> str:
    info = _info(parameters)
    name = chosen.cloud or (info.cloud if info else '')
    if not name:
        raise UsageProblem('cannot connect', 'to a cloud', 'no cloud given', 'name a cloud of clouds.yaml')
    return name


def _request(parameters: Mapping[str, Any], chosen: Options) -> nodes.Request:
    if parameters.get('run_dir'):
        return stages.request(open_run(parameters['run_dir']), chosen)
    run = str(parameters['run_id'])
    expires = parameters.get('expires') or timestamp(SystemClock().now() + datetime.timedelta(hours=HOURS))
    return nodes.Request(
        mark=Mark(run, parameters.get('owner') or 'ansible', expires),
        topology=chosen.topology,
        key_dir=chosen.key_dir or keys.default_directory(run),
        public_key=chosen.public_key,
        timeout=chosen.timeout,
        host_keys=chosen.host_keys,
    )


def _silent(_text: str, _subject: str) -> None:
    """Modules have nobody to talk to while they run."""
