"""The client layer against a real API server with real admission webhooks."""

from __future__ import annotations

from pathlib import Path

import pytest
from plane_host import PlaneHost

from scs_ci.core.errors import UsageProblem
from scs_ci.plane.kube import Api

pytestmark = pytest.mark.integration

METADATA = "{'name': 'm', 'namespace': 'default', 'labels': {'a': 'b'}}"
MAP = f"{{'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {METADATA}}}"


@pytest.fixture(scope='module')
def plane(host: PlaneHost) -> PlaneHost:
    done = host.scs_ci('up')
    assert done.returncode == 0, done.stderr
    return host


def test_apply_get_list_delete(plane: PlaneHost) -> None:
    answer = plane.ask(
        f'm = {MAP}\nanswer = [api.apply(m)["kind"], api.get("v1", "ConfigMap", "m", "default")["metadata"]["name"],'
        ' [o["kind"] for o in api.list("v1", "ConfigMap", "default", selector="a=b")],'
        ' api.delete("v1", "ConfigMap", "m", "default"), api.delete("v1", "ConfigMap", "m", "default"),'
        ' api.get("v1", "ConfigMap", "m", "default")]'
    )
    assert answer == ['ConfigMap', 'm', ['ConfigMap'], True, False, None]


def test_annotate_changes_what_exists_and_makes_nothing(plane: PlaneHost) -> None:
    note = 'api.annotate("v1", "ConfigMap", "m", "default", {"scs-ci/x": "1"})'
    answer = plane.ask(
        f'answer = [{note}]\napi.apply({MAP})\nanswer += [{note}]\nfound = api.get("v1", "ConfigMap", "m", "default")\n'
        'meta = found["metadata"]\n'
        'answer += [meta["annotations"], meta["labels"], api.delete("v1", "ConfigMap", "m", "default")]'
    )
    assert answer == [False, True, {'scs-ci/x': '1'}, {'a': 'b'}, True]


def test_dry_run_stores_nothing(plane: PlaneHost) -> None:
    assert plane.ask(f'api.apply({MAP}, dry_run=True)\nanswer = api.get("v1", "ConfigMap", "m", "default")') is None


def test_field_manager(plane: PlaneHost) -> None:
    answer = plane.ask(
        f'answer = api.apply({MAP})["metadata"]["managedFields"]\napi.delete("v1","ConfigMap","m","default")'
    )
    assert [(entry['manager'], entry['operation']) for entry in answer] == [('scs-ci', 'Apply')]


def test_refusal_in_the_servers_words(plane: PlaneHost) -> None:
    answer = plane.ask(
        'try:\n    api.apply({"apiVersion": "cluster.x-k8s.io/v1beta1", "kind": "Cluster", "metadata": '
        '{"name": "c", "namespace": "default"}, "spec": {}})\n'
        'except Refused as refused:\n    answer = [refused.status, refused.subject, refused.answer, str(refused)]'
    )
    assert answer[0] in (403, 422)
    assert answer[1] == 'Cluster default/c'
    assert 'admission webhook' in answer[2]
    assert 'next:' in answer[3]


def test_unknown_kind(plane: PlaneHost) -> None:
    answer = plane.ask(
        'answer = [api.get("example.org/v1", "Thing", "x", "default"), api.kinds("example.org/v1")]\n'
        'try:\n    api.list("example.org/v1", "Thing")\n'
        'except Refused as refused:\n    answer.append([refused.status, refused.answer])'
    )
    assert answer == [None, {}, [404, 'the API server has no kind Thing in example.org/v1']]


def test_a_new_kind_is_found_without_a_new_client(plane: PlaneHost) -> None:
    crd = (
        "{'apiVersion': 'apiextensions.k8s.io/v1', 'kind': 'CustomResourceDefinition', "
        "'metadata': {'name': 'things.test.scs-ci'}, 'spec': {'group': 'test.scs-ci', 'scope': 'Namespaced', "
        "'names': {'plural': 'things', 'singular': 'thing', 'kind': 'Thing'}, 'versions': [{'name': 'v1', "
        "'served': True, 'storage': True, 'schema': {'openAPIV3Schema': {'type': 'object'}}}]}}"
    )
    answer = plane.ask(
        'import time\nanswer = [api.get("test.scs-ci/v1", "Thing", "x", "default")]\n'
        f'api.apply({crd})\n'
        'deadline = time.monotonic() + 20\n'
        'while not api.kinds("test.scs-ci/v1") and time.monotonic() < deadline: time.sleep(0.2)\n'
        'answer.append(api.list("test.scs-ci/v1", "Thing"))\n'
        'api.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", "things.test.scs-ci")'
    )
    assert answer == [None, []]


def test_events(plane: PlaneHost) -> None:
    event = (
        "{'apiVersion': 'v1', 'kind': 'Event', 'metadata': {'name': 'e', 'namespace': 'default'}, 'reason': 'Because', "
        "'involvedObject': {'kind': 'Pod', 'name': 'p', 'namespace': 'default'}}"
    )
    answer = plane.ask(
        f'api.apply({event})\nanswer = [len(api.events("default", "Pod", name)) for name in "pq"]\n'
        'api.delete("v1", "Event", "e", "default")'
    )
    assert answer == [1, 0]


def test_nothing_is_left_in_the_temporary_directory(plane: PlaneHost, tmp_path: Path) -> None:
    done = plane.python(
        '-c',
        f'from pathlib import Path\nfrom scs_ci.plane.kube import Api\n'
        f'assert Api(Path({str(plane.state / "kubeconfig")!r})).list("v1", "Namespace")',
        TMPDIR=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_dead_server_is_unreachable(host: PlaneHost) -> None:
    """Last in this file: it takes the plane down."""
    host.scs_ci('down')
    answer = host.ask(
        'answer = [api.ready()]\ntry:\n    api.list("v1", "Namespace")\n'
        'except Unreachable as problem:\n    answer.append(str(problem))'
    )
    assert answer[0] is False
    assert 'https://127.0.0.1:6443' in answer[1]
    assert 'next:' in answer[1]


@pytest.mark.parametrize('content', [None, 'a: [', 'apiVersion: v1\n', 'text\n', 'clusters: 3\n'])
def test_kubeconfig_that_is_none(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / 'kubeconfig'
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageProblem, match='kubeconfig'):
        Api(path)
