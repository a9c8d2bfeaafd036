"""Nodes as Ansible and Zuul want them, and the commands for people."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shlex
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_cloud import FakeClock, FakeCloud
from test_cloud_nodes import OWN, FakeProbe, request

from scs_ci.cli import live, main, node_access
from scs_ci.cloud import connect, handover, listing, nodes
from scs_ci.cloud.model import Node
from scs_ci.core.errors import UsageProblem
from scs_ci.core.naming import names

pytestmark = pytest.mark.unit

RUN = '7f3a1b2c-5d6e-4000-8000-000000000001'
NODE = Node('n-0', 'id-0', 'big-one', '198.18.1.1', '10.254.0.5', 'debian', 'SCS-2V-4', 'Debian 12 (x)', 'az1',
            ('ssh-ed25519 AAAA',), 'console', ('198.18.1.1 ssh-ed25519 AAAA',), '/state/key dir/id')  # fmt: skip


def test_inventory_has_all_nodes_and_a_group_for_each_of_theirs(tmp_path: Path) -> None:
    path = handover.write([NODE, dataclasses.replace(NODE, name='n-1', group='small')], tmp_path)
    content = yaml.safe_load(path.read_text())['all']['children']
    assert list(content) == ['scs_nodes', 'scs_big_one', 'scs_small']
    assert list(content['scs_nodes']['hosts']) == ['n-0', 'n-1']
    assert list(content['scs_small']['hosts']) == ['n-1']
    host = content['scs_nodes']['hosts']['n-0']
    assert (host['ansible_host'], host['ansible_user'], host['ansible_become']) == ('198.18.1.1', 'debian', True)
    words = shlex.split(host['ansible_ssh_common_args'])
    assert f'UserKnownHostsFile={tmp_path}/known_hosts' in words
    assert 'StrictHostKeyChecking=yes' in words
    assert (tmp_path / 'known_hosts').read_text().splitlines() == ['198.18.1.1 ssh-ed25519 AAAA'] * 2


def test_a_place_with_spaces_stays_one_word() -> None:
    arguments = handover.hosts([NODE], Path('/a b/known_hosts'))['n-0']['ansible_ssh_common_args']
    assert 'UserKnownHostsFile=/a b/known_hosts' in shlex.split(arguments)


def test_without_a_key_of_ours_none_is_named() -> None:
    (variables,) = handover.hosts([dataclasses.replace(NODE, key_file='', user='root')], Path('k')).values()
    assert 'ansible_ssh_private_key_file' not in variables
    assert variables['ansible_become'] is False


def test_zuul_s_nodes() -> None:
    public, private = handover.zuul_nodes([NODE, dataclasses.replace(NODE, address='10.254.0.5')], 'scs2')
    assert (public['interface_ip'], public['public_ipv4'], public['private_ipv4']) == (
        '198.18.1.1',
        '198.18.1.1',
        '10.254.0.5',
    )
    assert (private['interface_ip'], private['public_ipv4']) == ('10.254.0.5', '')
    assert (public['label'], public['connection_port'], public['username'], public['az']) == (
        'big-one',
        22,
        'debian',
        'az1',
    )


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeCloud:
    fake = FakeCloud(boot=3)
    original = fake.server

    def server(body: dict[str, Any]) -> Any:
        made = original(body)
        made.addresses = {'net': [{'addr': '10.254.0.9'}, {'addr': '198.18.1.7', 'OS-EXT-IPS:type': 'floating'}]}
        return made

    monkeypatch.setattr(fake, 'server', server)
    monkeypatch.setattr(connect, 'connect', lambda name: fake.cloud)
    monkeypatch.setattr(connect, 'known_clouds', lambda: ['scs2', 'other'])
    monkeypatch.setenv('XDG_STATE_HOME', str(tmp_path / 'state'))
    made = nodes.Request
    monkeypatch.setattr(nodes, 'Request', _with(made, clock=fake.clock, probe=FakeProbe()))
    return fake


def _with(made: Any, **fixed: Any) -> Any:
    return lambda *given, **named: made(*given, **{**named, **fixed})


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*words: str) -> tuple[int, str, str]:
        code = main(['nodes', *words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.mark.parametrize('action', ['up', 'list', 'ssh', 'down'])
def test_no_cloud_is_taken_by_itself(fake: FakeCloud, call: Call, action: str) -> None:
    words = ('node-0',) if action == 'ssh' else ()
    code, _, err = call(action, *words, '--run-id', RUN)
    assert code == 2
    assert 'none is taken by itself; clouds.yaml has scs2, other' in err
    assert 'next: name the cloud with --cloud' in err
    assert not fake.calls


def test_up_without_the_consoles(fake: FakeCloud, call: Call) -> None:
    code, out, err = call('up', '--cloud', 'scs2', '--host-keys', 'scan', '--json')
    assert code == 0, err
    assert [node['host_keys_from'] for node in json.loads(out)['nodes']] == ['scan']
    assert not fake.calls['console']
    planned = json.loads(call('up', '--cloud', 'scs2', '--host-keys', 'scan', '--dry-run', '--json')[1])
    assert 'console logs' not in planned['cost']['calls']


def test_up_list_ssh_down(fake: FakeCloud, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code, out, err = call('up', '--count', '2', '--cloud', 'scs2')
    assert code == 0, err
    run = re.search(r'^run (\S+)$', out, re.MULTILINE)[1]  # type: ignore[index]
    prefix = names(run).prefix
    assert f'nodes down --cloud fake --run-id {run}' in out
    assert f'{prefix}-node-0: usable as' in err
    listed = json.loads(call('list', '--cloud', 'scs2', '--json')[1])
    assert [(n['name'], n['status'], n['address'], n['run']) for n in listed] == [
        (f'{prefix}-node-{i}', 'ACTIVE', '198.18.1.7', run) for i in range(2)
    ]
    assert f'run {run} of' in call('list', '--cloud', 'scs2')[1]
    entered: list[list[str]] = []

    def become(program: str, words: list[str], environment: dict[str, str]) -> None:
        entered.append(words)
        raise SystemExit(7)

    monkeypatch.setattr(node_access.os, 'execve', become)
    with pytest.raises(SystemExit, match='7'):
        call('ssh', 'node-1', '--cloud', 'scs2', '--command', 'uptime')
    (words,) = entered
    assert words[-2:] == ['debian@198.18.1.7', 'uptime']
    assert f'UserKnownHostsFile={tmp_path}/state/scs-ci/{run}/known_hosts' in words
    private = Path(words[words.index('-i') + 1])
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert call('down', '--cloud', 'scs2')[0] == 2
    assert 'would' not in call('down', '--cloud', 'scs2', '--run-id', run, '--dry-run')[1]
    assert len(fake.kinds['server']) == 2
    code, out, _ = call('down', '--cloud', 'scs2', '--run-id', run)
    assert code == 0
    assert '2 server' in out
    assert not fake.kinds['server']
    assert call('list', '--cloud', 'scs2')[1] == '0 nodes\n'


def test_ssh_says_what_is_missing(fake: FakeCloud, call: Call, tmp_path: Path) -> None:
    for words, match in (
        ((), 'no name given'),
        (('node-0',), 'the cloud has none'),
    ):
        code, _, err = call('ssh', *words, '--cloud', 'scs2')
        assert code == 2
        assert match in err
    nodes.present(fake.cloud, request(tmp_path, fake))
    code, _, err = call('ssh', 'node', '--cloud', 'scs2')
    assert f'the cloud has {OWN.node(0)}, {OWN.node(1)}' in err
    code, _, err = call('ssh', 'node-0', '--cloud', 'scs2')
    assert code == 2
    assert 'there is no' in err
    assert '--key-dir' in err
    code, _, err = call('list', 'node-0', '--cloud', 'scs2')
    assert code == 2
    assert "'nodes list' takes none" in err


def test_a_node_is_found_by_the_end_of_its_name_when_that_is_clear() -> None:
    def listed(name: str) -> listing.Listed:
        return listing.Listed(name, name, 'ACTIVE', '', '', '', '', '', 'r', '', '', '')

    found = [listed('scs-ci-a-node-0'), listed('scs-ci-b-node-0'), listed('scs-ci-a-node-10')]
    assert node_access.find('node-10', found).name == 'scs-ci-a-node-10'
    assert node_access.find('scs-ci-b-node-0', found).name == 'scs-ci-b-node-0'
    with pytest.raises(UsageProblem, match='2 nodes have that name'):
        node_access.find('node-0', found)
    with pytest.raises(UsageProblem, match='ACTIVE without an address'):
        node_access.door(found[0], None, '')


def test_dry_run_shows_choice_and_cost(fake: FakeCloud, call: Call) -> None:
    code, out, _ = call('up', '--count', '2', '--cloud', 'scs2', '--dry-run')
    assert code == 0
    assert 'group node: SCS-2V-4-10 in any zone, Debian 12 (image Debian 12)' in out
    assert '  else SCS-4V-16 in any zone' in out
    assert re.search(r'^\d+ requests \(.*2 servers.*; and a list of servers every 2\.5 s', out, re.MULTILINE)
    assert 'quota: 2 servers, 4 vCPUs, 8192 MiB of memory' in out
    assert '2 steps, nothing was changed' in out
    assert not fake.kinds['server']
    plain = json.loads(call('up', '--count', '2', '--cloud', 'scs2', '--dry-run', '--json')[1])
    assert plain['cost']['total'] == sum(plain['cost']['calls'].values())
    assert [step['action'] for step in plain['plan']] == ['create', 'create']


def test_plain_lines_where_nobody_watches() -> None:
    stream = io.StringIO()
    with live.progress(stream, FakeClock()) as say:
        say('requested', 'n-0')
        say('requested', 'n-0')
        say('ACTIVE', 'n-0')
    assert stream.getvalue().splitlines() == ['    0.0s  n-0: requested', '    0.0s  n-0: ACTIVE']


class Terminal(io.StringIO):
    """A terminal as rich sees it."""

    def isatty(self) -> bool:
        return True


def test_a_table_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('rich')
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.delenv('NO_COLOR', raising=False)
    clock, stream = FakeClock(), Terminal()
    with live.progress(stream, clock) as say:
        say('requested', 'n-0')
        say('[red]no markup', 'n-1')
        clock.sleep(31)
        say('ACTIVE', 'n-0')
    text = stream.getvalue()
    last = text[text.rindex('31 s') :]
    assert re.search(r'n-0\s+ACTIVE\s+31\.0 s', last)
    assert re.search(r'n-1\s+\[red\]no markup\s+0\.0 s', last)
    assert 'requested' not in last


@pytest.mark.parametrize('terminal', ['dumb', 'unknown'])
def test_no_table_on_a_terminal_that_cannot_go_back(monkeypatch: pytest.MonkeyPatch, terminal: str) -> None:
    monkeypatch.setenv('TERM', terminal)
    stream = Terminal()
    with live.progress(stream, FakeClock()) as say:
        say('ACTIVE', 'n-0')
    assert stream.getvalue() == '    0.0s  n-0: ACTIVE\n'


def test_no_table_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'rich.console', None)
    monkeypatch.setenv('TERM', 'xterm')
    stream = Terminal()
    with live.progress(stream, FakeClock()) as say:
        say('ACTIVE', 'n-0')
    assert stream.getvalue() == '    0.0s  n-0: ACTIVE\n'
