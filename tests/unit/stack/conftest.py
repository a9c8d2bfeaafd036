"""Lets the tests of this directory import their shared data (pytest's import mode adds no directories)."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from stack_data import MANAGER, write

from scs_ci.stack.rule import BASE


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Two stacks of layout A, one minor of layout B."""
    write(tmp_path / 'providers/openstack/demo', dict(BASE))
    write(tmp_path / 'providers/docker/demo', {**BASE, 'csctl.yaml': BASE['csctl.yaml'].replace('openstack', 'docker')})
    minor = {k: v for k, v in BASE.items() if k != 'csctl.yaml'}
    minor['stack.yaml'] = 'provider: openstack\nclusterStackName: scs\nkubernetesVersion: 1.35\n'
    write(tmp_path / 'providers/openstack/scs/1-35', minor)
    write(tmp_path / 'providers/openstack/scs', {'image-manager.yaml': MANAGER})
    write(tmp_path / '.release/providers/x', dict(BASE))
    return tmp_path
