"""A stack in the layout of one directory per minor, through all stages, and one in the old addon convention."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from stack_tools import EXAMPLE

from scs_ci.stack import archive, discover
from scs_ci.stack.build import build
from scs_ci.stack.charts import ChartSource
from scs_ci.stack.check import run_rules
from scs_ci.stack.helm import Helm
from scs_ci.stack.render import render_stack
from scs_ci.stack.rule import BASE

pytestmark = pytest.mark.integration


def test_one_directory_per_minor(helm: Helm, tmp_path: Path) -> None:
    base = tmp_path / 'checkout/providers/openstack/minors'
    stack_directory = base / '1-34'
    shutil.copytree(EXAMPLE / 'providers/openstack/example', stack_directory)
    (stack_directory / 'csctl.yaml').unlink()
    (stack_directory / 'stack.yaml').write_text(
        'provider: openstack\nclusterStackName: minors\nkubernetesVersion: 1.34\n'
    )
    listed = [
        {'version': f'v1.34.{n}', 'url': f'https://images.example/kube-v1.34.{n}.qcow2', 'checksum': str(n % 10) * 64}
        for n in (9, 10)
    ]
    (base / 'image-manager.yaml').write_text(
        json.dumps({'images': [{'name': 'ubuntu-capi-image', 'separator': '-', 'versions': listed}]})
    )
    chart = stack_directory / 'cluster-class/Chart.yaml'
    chart.write_text(chart.read_text().replace('openstack-example-1-34-cluster-class', 'replaced-by-the-build'))
    (place,) = discover.find(tmp_path / 'checkout')

    stack = render_stack(discover.load(tmp_path / 'checkout', place), helm, ChartSource(tmp_path))
    built = build(stack, tmp_path / 'release', helm)

    assert place.layout == 'B'
    assert run_rules(stack) == ()
    assert built.tag.startswith('openstack-minors-1-34-v0-sha-')
    version = built.versions.stack.dotted
    files = archive.unpack((built.directory / f'openstack-minors-1-34-cluster-class-{version}.tgz').read_bytes())
    assert b'name: openstack-minors-1-34-cluster-class' in files['openstack-minors-1-34-cluster-class/Chart.yaml']
    assert 'kubernetes: v1.34.10' in (built.directory / 'metadata.yaml').read_text()


def test_the_old_addon_convention(helm: Helm, tmp_path: Path) -> None:
    files = {name: text for name, text in BASE.items() if not name.startswith(('clusteraddon', 'cluster-addon'))}
    files |= {
        'cluster-addon/Chart.yaml': 'apiVersion: v2\nname: openstack-demo-1-34-cluster-addon\nversion: v1\n',
        'cluster-addon/templates/a.yaml': 'apiVersion: v1\nkind: A\nmetadata:\n  name: {{ .Values.name }}\n',
        'cluster-addon-values.yaml': 'values: |\n  name: {{ .Cluster.metadata.name }}\n',
    }
    for name, text in files.items():
        path = tmp_path / 'providers/openstack/demo' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (place,) = discover.find(tmp_path)

    stack = render_stack(discover.load(tmp_path, place), helm, ChartSource(tmp_path))
    built = build(stack, tmp_path / 'release', helm)

    # its objects are made up: only what asks Cluster API and Kubernetes about them may object
    assert {found.rule for found in run_rules(stack)} <= {'class-accepted', 'object-schema'}
    assert 'name: sample-one' in stack.renderings[1].parts[0].text
    version = built.versions.stack.dotted
    assert sorted(built.digests) == [
        'cluster-addon-values.yaml',
        'hashes.json',
        'metadata.yaml',
        f'openstack-demo-1-34-cluster-addon-{version}.tgz',
        f'openstack-demo-1-34-cluster-class-{version}.tgz',
    ]
