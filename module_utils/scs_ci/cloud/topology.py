"""A topology from plain data: a YAML file, a module argument."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core import shape
from ..core.errors import ToolProblem, UsageProblem
from .model import Topology


def parse(content: Any, source: str = 'topology') -> Topology:
    """The topology; UsageProblem names the first key that does not fit. None or nothing is one default node."""
    try:
        return shape.load(Topology, content or {}, source)
    except ToolProblem as problem:
        raise UsageProblem(
            'cannot use', source, problem.answer, "keys are described in 'ansible-doc scs_nodes'"
        ) from problem


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
