"""A topology from plain data: a YAML file, a module argument."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core import shape
from ..core.errors import ToolProblem, UsageProblem
from .model import Group, SecurityRule, Topology

POLICIES = ('affinity', 'anti-affinity', 'soft-affinity', 'soft-anti-affinity')  # Nova's
LAST_PORT = 65535


def parse(content: Any, source: str = 'topology') -> Topology:
    """The topology; UsageProblem names the first key that does not fit. None or nothing is one default node."""
    try:
        wanted = shape.load(Topology, _with_groups(content or {}), source)
    except ToolProblem as problem:
        raise UsageProblem(
            'cannot use', source, problem.answer, "keys are described in 'ansible-doc scs_nodes'"
        ) from problem
    for group in wanted.groups:
        if why := misfit(group):
            raise UsageProblem('cannot use', f'group {group.name} of {source}', why, 'correct it')
    return wanted


def misfit(group: Group) -> str:
    """What no cloud would take, '' when there is nothing of the kind."""
    if group.server_group and group.server_group not in POLICIES:
        return f'server_group {group.server_group!r} is none of {", ".join(POLICIES)}'
    if small := next((volume for volume in group.volumes if volume.size < 1), None):
        return f'a volume of {small.size} GB'
    return next((why for rule in group.security if (why := _no_rule(rule))), '')


def _no_rule(rule: SecurityRule) -> str:
    last = rule.last or rule.port
    if not 0 <= rule.port <= last <= LAST_PORT or (rule.last and not rule.port):
        return f'ports {rule.port} to {last} of a security rule'
    try:
        ipaddress.ip_network(rule.remote)
    except ValueError as error:
        return f'remote of a security rule: {error}'
    return ''


def load(path: Path) -> Topology:
    """The topology of a YAML (or JSON) file."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise UsageProblem(
            'cannot read', f'topology {path}', error.strerror or str(error), 'give an existing file'
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageProblem('cannot parse', f'topology {path}', str(error), 'fix the file') from error
    return parse(content, f'topology {path}')


def without_defaults(content: Mapping[str, Any]) -> dict[str, Any]:
    """A copy without keys whose value is None, at any depth: what Ansible passes for options that were not given."""
    return {k: _clean(v) for k, v in content.items() if v is not None}


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_defaults(value)
    return [_clean(v) for v in value] if isinstance(value, list) else value


def _with_groups(content: Any) -> Any:
    """Groups in the form of the dataclasses; what has another shape stays as it is, for the check to name it."""
    if not isinstance(content, Mapping) or not isinstance(content.get('groups'), list):
        return content
    return {**content, 'groups': [_group(group) for group in content['groups']]}


def _group(group: Any) -> Any:
    """Properties of an image may stand beside its name: `image: {os_distro: debian, os_version: 12}`."""
    image = group.get('image') if isinstance(group, Mapping) else None
    if not isinstance(image, Mapping) or not isinstance(image.get('properties', {}), Mapping):
        return group
    named = {key: value for key, value in image.items() if key in ('name', 'properties')}
    properties = {**image.get('properties', {}), **{k: v for k, v in image.items() if k not in named}}
    # a version such as 12 is a number in YAML; 24.10 would have lost its zero, so the check refuses it
    texts = {k: str(v) if isinstance(v, int) and not isinstance(v, bool) else v for k, v in properties.items()}
    return {**group, 'image': {**named, **({'properties': texts} if texts else {})}}
