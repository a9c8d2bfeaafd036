"""Connections by name only: every way to get it wrong has its message, and no secret is in it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from scs_ci.cloud import connect
from scs_ci.core.errors import CredentialProblem, NetworkProblem, UsageProblem

pytestmark = pytest.mark.unit

SECRET = 'sesame-open'
CLOUDS = f"""
clouds:
  gone:
    auth: {{auth_url: 'http://127.0.0.1:9/v3', username: u, password: {SECRET}, project_name: p,
           user_domain_id: default, project_domain_id: default}}
  incomplete:
    auth: {{auth_url: 'http://127.0.0.1:9/v3'}}
"""


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / 'clouds.yaml'
    path.write_text(CLOUDS)
    path.chmod(stat.S_IRUSR)
    monkeypatch.setenv('OS_CLIENT_CONFIG_FILE', str(path))
    return path


def test_unknown_cloud_names_the_known_ones(clouds: Path) -> None:
    with pytest.raises(UsageProblem, match=r"cannot find cloud 'x': .*clouds.yaml has gone, incomplete"):
        connect.connect('x')


def test_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('OS_CLIENT_CONFIG_FILE', str(tmp_path / 'gone.yaml'))
    with pytest.raises(UsageProblem, match='OS_CLIENT_CONFIG_FILE names no file'):
        connect.connect('x')


def test_broken_file(clouds: Path) -> None:
    clouds.chmod(0o600)
    clouds.write_text('clouds: [')
    with pytest.raises(UsageProblem, match='cannot read clouds file'):
        connect.connect('gone')


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        ('clouds: [gone]', 'clouds is no mapping but list'),
        ('clouds: {gone: }', 'clouds.gone is no mapping but NoneType'),
        ('clouds: {gone: {auth: 3}}', 'clouds.gone.auth is no mapping but int'),
        ('clouds: {gone: {auth: {}}}', 'not given: auth_url'),
        ('clouds: {gone: {auth_type: v9, auth: {auth_url: x}}}', 'plugin v9 could not be found'),
        ('clouds: {gone: {profile: nobody, auth: {auth_url: x}}}', 'vendor profile nobody'),
        (CLOUDS.replace('gone:', 'gone:\n    cacert: /gone/ca.pem').replace('http:', 'https:'), '/gone/ca.pem'),
        (CLOUDS.replace('gone:', 'gone:\n    api_timeout: soon'), 'soon'),
        (f'clouds: {{gone: {{auth: {{password: {SECRET}: x}}}}}}', 'line 1, column'),
    ],
)
def test_files_that_describe_no_cloud(clouds: Path, content: str, said: str) -> None:
    clouds.chmod(0o600)
    clouds.write_text(content)
    with pytest.raises(UsageProblem, match=said) as caught:
        connect.connect('gone')
    assert SECRET not in str(caught.value)


def test_unreachable(clouds: Path) -> None:
    with pytest.raises(NetworkProblem, match=r'cannot reach cloud gone \(http://127.0.0.1:9/v3\)') as caught:
        connect.connect('gone')
    assert SECRET not in str(caught.value)
    assert 'next:' in str(caught.value)


def test_incomplete_credential(clouds: Path) -> None:
    with pytest.raises(CredentialProblem, match='password is a required attribute'):
        connect.connect('incomplete')


def test_environment_variables_choose_no_cloud(clouds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OS_AUTH_URL', 'http://127.0.0.1:9/v3')
    monkeypatch.setenv('OS_PASSWORD', 'other')
    with pytest.raises(UsageProblem, match='has gone, incomplete'):
        connect.connect('envvars')
