"""Routers that change while servers run: interfaces and gateways come and go. Root; about 15 s on 2 cores."""

from __future__ import annotations

import time
from typing import Any

import pytest
from agent_world import World

pytestmark = pytest.mark.integration

PATIENCE = 60.0  # seconds for the first login; 3 s on an idle machine
SETTLE = 10.0  # seconds for neighbors to forget what was refused


def answers(site: World, address: str, expected: bool) -> bool:
    """Whether a login becomes possible, or impossible, within some seconds."""
    limit = time.monotonic() + SETTLE
    while (site.ssh(address, 'true').returncode == 0) != expected:
        if time.monotonic() > limit:
            return False
        time.sleep(0.3)
    return True


def send(site: World, change: Any) -> list[str]:
    """Send the snapshot after a change to its routers; returns what the agent changed."""
    snapshot = site.snapshot()
    change(snapshot)
    return list(site.ask('network-apply', snapshot=snapshot)['changes'])


def test_a_gateway_is_taken_away_and_given_back(site: World) -> None:
    site.add('one', 'left', '10.0.0.5', groups=['ssh'])
    site.floating = {'one': '198.18.1.11'}
    site.send_network()
    site.boot('one')
    assert site.ssh('198.18.1.11', 'true', patience=PATIENCE).returncode == 0

    def closed(snapshot: dict[str, Any]) -> None:
        snapshot['routers'][0]['external'] = None
        snapshot['floating_ips'] = []

    assert send(site, closed)
    assert answers(site, '198.18.1.11', False)
    assert site.send_network()
    assert answers(site, '198.18.1.11', True)


def test_an_interface_is_taken_out_and_plugged_in_again(site: World) -> None:
    site.add('one', 'left', '10.0.0.5', groups=['ssh'])
    site.floating = {'one': '198.18.1.11'}
    site.send_network()
    site.boot('one')
    assert site.ssh('198.18.1.11', 'true', patience=PATIENCE).returncode == 0

    def removed(snapshot: dict[str, Any]) -> None:
        snapshot['routers'][0]['interfaces'] = []

    assert send(site, removed)
    assert answers(site, '198.18.1.11', False)
    assert site.send_network()
    assert answers(site, '198.18.1.11', True)
