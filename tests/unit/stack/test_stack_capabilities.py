"""Charts as if a cluster had every API: what is rendered of them once more, and what is left out of that."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from scs_ci.stack.archive import Archive
from scs_ci.stack.capabilities import granted

pytestmark = pytest.mark.unit

CHART = SimpleNamespace(path='cluster-addon/cni')
GATED = b'{{ if .Capabilities.APIVersions.Has "gateway/v1" }}kind: GatewayClass{{ end }}'
OPEN = b'{{ if eq "gateway/v1" "gateway/v1" }}kind: GatewayClass{{ end }}'
NEEDED = {
    'Chart.yaml': b'name: cni',
    'templates/_helpers.tpl': b'{{ define "a" }}{{ end }}',
    'templates/names.yaml': b'{{- define "b" }}{{ end }}',
    'charts/x/templates/sub/_more.yaml': b'# beside',
    'files/templates.txt': b'text',
}


def test_templates_that_ask_for_nothing_are_left_out() -> None:
    plain = {'templates/secret.yaml': b'{{ genCA "ca" 365 }}', 'charts/x/templates/sub/secret.yaml': b'kind: Secret'}
    found = granted(CHART, {**NEEDED, **plain, 'templates/class.yaml': GATED}, ())  # type: ignore[arg-type]
    assert found == {**NEEDED, 'templates/class.yaml': OPEN}


def test_all_stay_where_a_template_includes_whole_others() -> None:
    files = {
        **NEEDED,
        'templates/config.yaml': b'kind: ConfigMap',
        'templates/class.yaml': GATED + b'{{ include (print $.Template.BasePath "/config.yaml") . | sha256sum }}',
    }
    found = granted(CHART, files, ())  # type: ignore[arg-type]
    assert found.keys() == files.keys()
    assert found['templates/class.yaml'].startswith(OPEN)


def test_only_archives_that_ask_are_unpacked() -> None:
    path = f'{CHART.path}/charts'
    gated = Archive(f'{path}/x-1.tgz', 'x', '1', files={'Chart.yaml': b'name: x', 'templates/class.yaml': GATED})
    other = Archive(f'{path}/y-1.tgz', 'y', '1', files={'templates/class.yaml': b'kind: Y'})
    files = {'charts/x-1.tgz': b'packed', 'charts/y-1.tgz': b'packed'}
    assert granted(CHART, files, (gated, other)) == {  # type: ignore[arg-type]
        'charts/y-1.tgz': b'packed',
        'charts/x/Chart.yaml': b'name: x',
        'charts/x/templates/class.yaml': OPEN,
    }
