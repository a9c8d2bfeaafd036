"""The gates of provisioning and purge: calls and virtual seconds of the unmodified product on the imagined cloud.

Each case begins with a login, as a command does. Numbers of others: doc/nodes.md.
"""

from __future__ import annotations

import collections
import dataclasses
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import scenario
from cloudsim.cloud import Cloud
from cloudsim.probe import Probe
from cloudsim.store import Settings
from meters import Cost, measure
from openstack.resource import Resource

from scs_ci.cloud import connect, nodes, purge, ssh

pytestmark = pytest.mark.unit

RUN = '7f3a1b2c-5d6e-4000-8000-000000000001'
# Calls and seconds of nodepool 11 for 50 nodes with floating IP at 200 ms here, by benchmarks/provision/pool.py.
NODEPOOL_50 = (651, 116.6)


def provision(cloud: Cloud, place: Path, count: int, host_keys: str = ssh.CONSOLE) -> tuple[nodes.Result, Cost]:
    def work() -> nodes.Result:
        wish = scenario.request(place, RUN, cloud.turns, Probe(cloud), count, host_keys)
        return nodes.present(connect.connect('cloudsim'), wish)

    return measure(cloud, work)


def delete(cloud: Cloud, only: Any) -> tuple[purge.Result, Cost]:
    def work() -> purge.Result:
        connected = connect.connect('cloudsim')
        return purge.Purge(connected, RUN, say=lambda *_: None, clock=cloud.turns, only=only).execute()

    return measure(cloud, work)


def test_g1_twenty_nodes_with_floating_ip(tmp_path: Path) -> None:
    cloud = Cloud(Settings(rtt=0.05, boot=30.0))
    with cloud.open(tmp_path):
        result, cost = provision(cloud, tmp_path, 20, ssh.SCAN)
    assert len({node.address for node in result.nodes}) == 20
    assert {node.host_keys_from for node in result.nodes} == {ssh.SCAN}
    assert cost.total <= 75, cost
    assert cost.consoles == 0
    assert cost.seconds <= 30 + 3, cost


def test_the_console_of_each_node_is_one_call_more(tmp_path: Path) -> None:
    costs = {}
    for host_keys in ssh.HOST_KEYS:
        cloud = Cloud(Settings(rtt=0.05, boot=30.0))
        place = tmp_path / host_keys
        place.mkdir()
        with cloud.open(place):
            result, costs[host_keys] = provision(cloud, place, 20, host_keys)
        assert {node.host_keys_from for node in result.nodes} == {host_keys}
    assert costs[ssh.CONSOLE].consoles == 20
    assert costs[ssh.CONSOLE].total - 20 == costs[ssh.SCAN].total
    assert costs[ssh.CONSOLE].seconds <= 30 + 3, costs


def test_g2_to_g4_fifty_nodes_on_a_far_cloud_again_and_gone_with_proof(tmp_path: Path) -> None:
    """One life of fifty nodes, for making them is what takes long: made (G2), asked for again (G3), purged."""
    cloud = Cloud(Settings(rtt=0.2, boot=30.0, delete=6.0))
    empty = cloud.store.everything()
    with cloud.open(tmp_path):
        _, made = provision(cloud, tmp_path, 50, ssh.SCAN)
        _, again = provision(cloud, tmp_path, 50)
        cloud.store.settings = dataclasses.replace(cloud.store.settings, rtt=0.05)
        _, gone = delete(cloud, purge.everything)
    calls, seconds = NODEPOOL_50
    assert made.total <= 0.25 * calls, made
    assert made.seconds <= 0.35 * seconds, made
    assert again.total <= 10, again
    # it looks for everything that clusters can leave and proves the end: two lists of each of 14 kinds and login
    assert cloud.store.everything() == empty
    assert gone.starting('DELETE') <= 2 * 50 + 6, gone
    assert gone.total <= 3 * 50, gone
    assert gone.seconds <= 6 + 3, gone


def test_g3_a_converged_call_costs_the_same_for_any_number(tmp_path: Path) -> None:
    cloud = Cloud()
    with cloud.open(tmp_path):
        costs = []
        for count in (1, 10):
            provision(cloud, tmp_path, count)
            costs.append(provision(cloud, tmp_path, count)[1])
    assert costs[0].calls == costs[1].calls
    assert costs[0].total <= 10, costs[0]


def test_g9_a_converged_call_makes_no_object_of_the_sdk_for_each_node(tmp_path: Path) -> None:
    """Each takes milliseconds: lists of a thousand servers would take longer than the pause between two of them."""
    cloud, made, init = Cloud(), list[str](), Resource.__init__

    def counted(self: Any, *words: Any, **named: Any) -> None:
        made.append(type(self).__name__)
        init(self, *words, **named)

    numbers = []
    with cloud.open(tmp_path), mock.patch.object(Resource, '__init__', counted):
        for count in (1, 10):
            provision(cloud, tmp_path, count)
            made.clear()
            provision(cloud, tmp_path, count)
            numbers.append(collections.Counter(made))
    assert numbers[0] == numbers[1]


def test_g4_fifty_nodes_gone(tmp_path: Path) -> None:
    cloud = Cloud(Settings(rtt=0.05, delete=6.0))
    empty = cloud.store.everything()
    with cloud.open(tmp_path):
        provision(cloud, tmp_path, 50)
        result, cost = delete(cloud, purge.nodes_only)
    assert result.kept == ()
    assert cloud.store.everything() == empty
    assert cost.total <= 2.5 * 50, cost
    assert cost.seconds <= 6 + 3, cost


def test_calls_do_not_depend_on_luck(tmp_path: Path) -> None:
    costs = []
    for number in range(2):
        cloud = Cloud()
        place = tmp_path / str(number)
        place.mkdir()
        with cloud.open(place):
            costs.append((provision(cloud, place, 5)[1], delete(cloud, purge.everything)[1]))
    assert costs[0] == costs[1]
