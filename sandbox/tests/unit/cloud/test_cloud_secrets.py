"""Secrets: unlike each other, unreadable for others, and hashed as Keystone expects."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
import yaml

from scs_sandbox import clouds
from scs_sandbox.cloud import clone, secrets
from scs_sandbox.cloud.model import USERS, Region

pytestmark = pytest.mark.unit


def test_passwords_differ_from_each_other_and_from_the_names() -> None:
    made = secrets.generate('id')
    assert set(made.passwords) == set(USERS)
    assert len(set(made.passwords.values()) | {made.application_credential_secret}) == len(USERS) + 1
    assert not set(made.passwords.values()) & set(USERS)


def test_hash_verifies() -> None:
    _, scheme, rounds, salt, digest = secrets.hashed('word', b'0123456789abcdef').split('$')
    expected = hashlib.pbkdf2_hmac('sha512', b'word', base64.b64decode(salt + '=='), int(rounds), 64)
    assert scheme == 'pbkdf2-sha512'
    assert base64.b64decode(digest + '==') == expected


def test_private_files_are_private(tmp_path: Path) -> None:
    path = tmp_path / 'credentials.json'
    made = secrets.generate('id')
    secrets.save(made, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert secrets.load(path) == made
    assert [p.name for p in tmp_path.iterdir()] == ['credentials.json']


def test_statements_hold_hashes_only() -> None:
    made = secrets.generate('id')
    text = repr(clone.credential_statements(made))
    assert not any(word in text for word in (*made.passwords.values(), made.application_credential_secret))


def test_clouds_of_two_regions(tmp_path: Path) -> None:
    regions = [Region(i, tmp_path / str(i), tmp_path) for i in (0, 1)]
    made = secrets.generate('app-id')
    clouds.write(tmp_path / 'clouds.yaml', made, regions)
    found = yaml.safe_load((tmp_path / 'clouds.yaml').read_text())['clouds']
    assert (tmp_path / 'clouds.yaml').stat().st_mode & 0o777 == 0o600
    assert list(found)[:4] == ['sandbox-admin', 'sandbox', 'sandbox2', 'sandbox-appcred']
    assert found['sandbox']['auth']['project_name'] == 'demo1'
    assert found['sandbox']['region_name'] == 'RegionOne'
    assert found['sandbox-appcred-RegionTwo']['region_name'] == 'RegionTwo'
    assert found['sandbox-appcred']['auth']['application_credential_id'] == 'app-id'
    assert {c['auth']['auth_url'] for c in found.values()} == {'http://198.19.0.1:20000/v3'}
