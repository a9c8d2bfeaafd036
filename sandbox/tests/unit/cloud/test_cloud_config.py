"""Configuration of the services: pure text, so what matters about it can be read back."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from scs_sandbox.cloud import config
from scs_sandbox.cloud.model import SERVICES, Region

pytestmark = pytest.mark.unit
PREFIX = Path('/prefix')


def parsed(region: Region) -> dict[str, configparser.ConfigParser]:
    found = {}
    for name, text in config.files(region, 'pass%word', PREFIX).items():
        found[name] = configparser.ConfigParser(interpolation=None)
        found[name].read_string(text)
    return found


@pytest.fixture
def home() -> Region:
    return Region(0, Path('/state/cloud/RegionOne'), Path('/state'))


def test_home_region_has_a_file_for_every_service(home: Region) -> None:
    assert set(config.files(home, 'p', PREFIX)) == set(config.FILES.values())


def test_second_region_has_no_keystone_and_uses_that_of_the_first() -> None:
    second = Region(1, Path('/state/cloud/RegionTwo'), Path('/state'))
    files = parsed(second)
    assert 'keystone.conf' not in files
    assert files['nova.conf']['neutron']['auth_url'] == 'http://198.19.0.1:20000/v3'
    assert files['nova.conf']['neutron']['region_name'] == 'RegionTwo'
    assert second.port('nova') == 20103


def test_ports_are_those_of_the_catalogue(home: Region) -> None:
    assert [home.port(s.name) for s in SERVICES] == list(range(20000, 20007))
    assert home.url('nova') == 'http://198.19.0.1:20003/v2.1'


def test_every_database_is_below_the_region(home: Region) -> None:
    urls = [
        parser[section]['connection']
        for parser in parsed(home).values()
        for section in parser
        if 'connection' in parser[section]
    ]
    assert len(urls) == 8
    assert all(url.startswith('sqlite:////state/cloud/RegionOne/data/') for url in urls)


def test_password_is_written_as_it_is(home: Region) -> None:
    assert parsed(home)['glance-api.conf']['keystone_authtoken']['password'] == 'pass%word'


def test_booleans_are_lower_case() -> None:
    assert config.render({'a': {'yes': True, 'no': False, 'n': 1}}) == '[a]\nyes = true\nno = false\nn = 1\n'
