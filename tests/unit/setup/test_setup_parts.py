"""The small decisions of the set-up: packages, toolchain, request, checks, documentation."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from scs_setup import (
    apt,
    checks,
    cli,
    doctor,
    documentation,
    e2e,
    environments,
    interpreters,
    launch,
    paths,
    stages,
    toolchain,
)
from scs_setup.problems import SetupProblem
from scs_setup.process import run

pytestmark = pytest.mark.unit


def test_packages_are_missing_when_their_probe_is(tmp_path: Path) -> None:
    source = tmp_path / 'packages.toml'
    source.write_text(
        "[some]\nwithout = 'the rest'\npackage = [\n"
        "{ name = 'a', probe = 'sh', reason = 'r' },\n"
        "{ name = 'b', probe = 'no-such-program', reason = 'r' },\n"
        f"{{ name = 'c', probe = '{tmp_path}', reason = 'r' }},\n]\n"
    )
    assert [package.name for package in apt.missing(apt.purposes(source)['some'])] == ['b']


def test_without_root_the_exact_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    with pytest.raises(SetupProblem) as caught:
        apt.install(['nftables', 'mmdebstrap'], 'the packages for sandbox', 'static checks work without them')
    text = str(caught.value)
    assert 'apt-get install --yes --no-install-recommends nftables mmdebstrap' in text
    assert 'static checks work without them' in text


def test_every_purpose_says_what_works_without_it() -> None:
    for purpose in apt.purposes().values():
        assert purpose.without
        assert all(package.reason for package in purpose.packages)


@pytest.mark.parametrize(('text', 'version'), [('go1.26.8', (1, 26)), ('go1.27rc1', (1, 27)), ('devel', (0, 0))])
def test_go_versions(text: str, version: tuple[int, int]) -> None:
    assert toolchain.parse(text) == version


def test_go_of_the_package_index_is_new_enough_for_the_modules() -> None:
    pin = (paths.REQUIREMENTS / 'go.txt').read_text().split('==')[1].strip()
    assert toolchain.parse(f'go{pin}') >= toolchain.required()


def test_go_sees_nothing_of_the_callers_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GOFLAGS', '-mod=mod')
    monkeypatch.setenv('GOARCH', 'arm')
    monkeypatch.setenv('GOPROXY', 'https://proxy.invalid')
    env = toolchain.environment(toolchain.Toolchain(Path('/opt/go/bin/go'), 'go1.26.0'))
    assert 'GOARCH' not in env
    assert env['GOFLAGS'] == '-mod=readonly -buildvcs=false'
    assert env['GOPROXY'] == 'https://proxy.invalid'
    assert env['CGO_ENABLED'] == '0'
    assert env['PATH'].startswith('/opt/go/bin:')


def test_relative_cache_home_is_ignored() -> None:
    assert paths.cache_root({'XDG_CACHE_HOME': 'x', 'HOME': '/home/a'}) == Path('/home/a/.cache/scs-ci')
    assert paths.cache_root({'XDG_CACHE_HOME': '/x', 'HOME': '/home/a'}) == Path('/x/scs-ci')


def test_unknown_environment_names_the_known_ones() -> None:
    with pytest.raises(SetupProblem, match='known are .*openstack.*product') as caught:
        environments.ensure('prodcut')
    assert caught.value.exit_code == 2


def test_interpreters_that_do_not_answer_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (('python3.13', 'exit 127'), ('python3.12', 'echo 3 12 /opt/python'), ('python3.9', 'echo')):
        (tmp_path / name).write_text(f'#!/bin/sh\n{text}\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setattr(interpreters, 'own', lambda: interpreters.Interpreter('/usr/bin/python3', (3, 11), '/usr'))
    assert interpreters.at_least((3, 11)).path == '/usr/bin/python3'
    assert interpreters.at_least((3, 12)).prefix == '/opt/python'
    (tmp_path / 'python3.12').unlink()
    with pytest.raises(SetupProblem, match='cannot find Python 3.12 or newer'):
        interpreters.at_least((3, 12))


def test_every_lock_is_pinned_with_hashes_and_names_no_host() -> None:
    for name in list(environments.INPUTS):
        lines = environments.lock_file(name).read_text().splitlines()
        packages = [line for line in lines if line and not line.startswith((' ', '#'))]
        assert packages, name
        assert all('==' in line and line.endswith('\\') for line in packages), name
        assert not any('://' in line for line in lines), name


def test_tools_of_the_caller_are_kept(tmp_path: Path) -> None:
    env = launch.environment(tmp_path, Path('/built'), {'PATH': '/bin', 'PYTHONPATH': '/mine'})
    assert env['SCS_CI_TOOLS'] == '/built'
    assert env['PYTHONPATH'].endswith(':/mine')
    assert launch.environment(tmp_path, Path('/built'), {'SCS_CI_TOOLS': '/other'})['SCS_CI_TOOLS'] == '/other'
    assert 'PYTHONDONTWRITEBYTECODE' not in launch.environment(tmp_path, None, {'PYTHONDONTWRITEBYTECODE': '1'})


def test_exit_code_passes_through() -> None:
    assert launch.call([sys.executable, '-c', 'import sys; sys.exit(4)'], dict(os.environ)) == 4


def test_terminated_call_ends_its_program_first(tmp_path: Path) -> None:
    script = (
        f'import sys; sys.path.insert(0, {str(paths.CHECKOUT / "setup")!r})\n'
        'import os\nfrom scs_setup import launch\nlaunch.terminate_like_interrupt()\n'
        'try:\n'
        "    launch.call(['sh', '-c', 'trap \"touch cleaned; exit 1\" TERM; kill -TERM $PPID; "
        "while :; do sleep 0.05; done'], os.environ, cwd=__import__('pathlib').Path.cwd())\n"
        "except KeyboardInterrupt:\n    print('unwound', os.path.exists('cleaned'))\n"
    )
    done = subprocess.run([sys.executable, '-c', script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stdout == 'unwound True\n', done.stderr


def test_each_program_is_shown_as_one_piece_when_it_has_ended(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    told: list[tuple[int, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        # each waits for the other, so they run at the same time
        first = 'touch one; echo fir; until [ -e two ]; do sleep 0.05; done; sleep 1; echo st; exit 3'
        second = 'echo sec; touch two; until [ -e one ]; do sleep 0.05; done; echo ond; exit 4'
        commands = [['sh', '-c', script] for script in (first, second)]
        codes = launch.call_beside(commands, dict(os.environ), Path(folder), ended=lambda *end: told.append(end))
    assert codes == [3, 4]
    assert told == [(1, 4), (0, 3)]
    assert capfdbinary.readouterr().out == b'sec\nond\nfir\nst\n'


def test_no_more_programs_run_at_once_than_allowed(tmp_path: Path) -> None:
    # fails if a third one of its kind is there
    script = 'mkdir here.$$; [ $(ls -d here.* | wc -l) -le 2 ] || exit 1; sleep 0.3; rmdir here.$$'
    assert launch.call_beside([['sh', '-c', script]] * 5, dict(os.environ), tmp_path, at_once=2) == [0] * 5


def test_every_test_is_in_one_run() -> None:
    runs = checks.runs(paths.CHECKOUT)
    names = [name for run in runs for name in run]
    files = [file for tree in ('tests', 'sandbox/tests') for file in (paths.CHECKOUT / tree).rglob('test_*.py')]
    # nothing in there runs unasked, so the directory would end as one without tests
    asked = [paths.CHECKOUT / 'tests/integration' / name for name in ('storage', 'provision')]
    assert all(any(file.is_relative_to(place) for file in files) for place in asked)
    unasked = [file for file in files if not any(file.is_relative_to(place) for place in asked)]
    for file in unasked:
        owners = [name for name in names if file.is_relative_to(paths.CHECKOUT / name)]
        assert len(owners) == 1, file
    assert tuple(run[0] for run in runs[: len(checks.LONGEST)]) == checks.LONGEST  # none of them is gone
    assert checks.TOGETHER in runs


def test_both_programs_clean_up_when_terminated(tmp_path: Path) -> None:
    script = (
        f'import sys; sys.path.insert(0, {str(paths.CHECKOUT / "setup")!r})\n'
        'import os, pathlib\nfrom scs_setup import launch\nlaunch.terminate_like_interrupt()\n'
        'wait = \'trap "touch $0; exit 1" TERM; touch $0.ready; while :; do sleep 0.05; done\'\n'
        'kill = \'trap "touch one; exit 1" TERM; until [ -e two.ready ]; do sleep 0.05; done; kill -TERM $PPID; \'\n'
        "kill += 'while :; do sleep 0.05; done'\n"
        'try:\n'
        "    launch.call_beside([['sh', '-c', kill], ['sh', '-c', wait, 'two']], os.environ, cwd=pathlib.Path.cwd())\n"
        "except KeyboardInterrupt:\n    print('unwound', os.path.exists('one'), os.path.exists('two'))\n"
    )
    done = subprocess.run([sys.executable, '-c', script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stdout == 'unwound True True\n', done.stderr


@pytest.mark.parametrize(
    ('command', 'words'),
    [
        (['no-such-program'], 'not found'),
        (['sh', '-c', 'echo reason >&2; exit 7'], 'ended with 7: reason'),
        (['sleep', '30'], 'still running after'),
    ],
)
def test_failing_programs_are_told_in_four_parts(command: list[str], words: str) -> None:
    with pytest.raises(SetupProblem) as caught:
        run(command, 'cannot do it', 'do that', timeout=0.5)
    assert str(caught.value).startswith('cannot do it: ')
    assert words in str(caught.value)
    assert str(caught.value).endswith('\n  next: do that')


@pytest.mark.parametrize(('before', 'after'), [('128\n', '1024\n'), ('8192\n', '8192\n')])
def test_the_limit_of_watchers_is_raised_and_never_lowered(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], before: str, after: str
) -> None:
    file = tmp_path / 'max_user_instances'
    file.write_text(before)
    checks.allow_watchers(file)
    assert file.read_text() == after
    assert ('was 128, is 1024 until the next boot' in ''.join(capfd.readouterr())) == (before != after)


def test_options_after_test_are_those_of_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(checks, 'test', lambda arguments: seen.append(arguments) or 0)
    assert cli.main(['test', '-m', 'unit', '--help']) == 0
    assert cli.main(['test']) == 0
    assert seen == [['-m', 'unit', '--help'], []]


def test_problems_end_in_their_exit_code_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(['env', 'none']) == 2
    error = capsys.readouterr().err
    assert "no environment 'none'" in error
    assert 'next: choose one of them' in error


def test_request_reads_what_make_exports(tmp_path: Path) -> None:
    infra = stages.EXTENTS['infra']
    asked = e2e.request({'CHECKOUT': str(tmp_path), 'STACKS': 'a,b', 'CHARTS': '', 'KEEP': '1', 'RUN_DIR': 'r'})
    run_dir = str(Path('r').resolve())
    wanted = e2e.Request(str(tmp_path), 'a,b', run_dir=run_dir, keep=True, extent=infra, cni='provided')
    assert asked == wanted
    assert e2e.request({}) == e2e.Request()
    assert e2e.extra_variables(e2e.Request(stacks='a', extent=infra), '/run') == [
        *('--extra-vars', '{"cloud": "sandbox"}'),
        *('--extra-vars', '{"stacks": "a"}'),
        *('--extra-vars', '{"run_dir": "/run"}'),
        *('--extra-vars', '{"repeat": "make e2e STACKS=a"}'),
    ]
    assert e2e.repeat(e2e.Request(charts='/a b')) == "make e2e CHARTS='/a b'"


@pytest.mark.parametrize('name', ['CHECKOUT', 'CHARTS', 'BASELINE'])
def test_missing_directory_or_file_is_a_usage_error(name: str) -> None:
    with pytest.raises(SetupProblem, match=f'cannot use {name}=/no/such') as caught:
        e2e.request({name: '/no/such'})
    assert caught.value.exit_code == 2


JUNIT = '<testsuites><testsuite tests="7" errors="1" failures="2" skipped="1"/></testsuites>'


def test_errors_count_as_failed(tmp_path: Path) -> None:
    report = tmp_path / 'junit.xml'
    assert checks.count(report) == checks.Counts()
    report.write_text(JUNIT)
    assert checks.count(report) == checks.Counts(passed=3, failed=3, skipped=1)


def test_shell_scripts_are_found_by_name_and_first_line(tmp_path: Path) -> None:
    (tmp_path / 'bin').mkdir()
    files = {'a': '#!/bin/sh\n', 'b.sh': 'true\n', 'c': '#!/usr/bin/env bash\n', 'd': '#!/usr/bin/python3\n', 'e': ''}
    for name, text in files.items():
        (tmp_path / 'bin' / name).write_text(text)
    assert checks.shell_scripts(tmp_path) == ['bin/a', 'bin/b.sh', 'bin/c']


def test_dead_links_and_missing_headings_are_found(tmp_path: Path) -> None:
    (tmp_path / 'a.md').write_text('# One thing\n[x](b.md) [y](b.md#two-things) [z](#one-thing) `[q](none)` [w](x:y)\n')
    (tmp_path / 'b.md').write_text('# Two things\n[x](gone.md) [y](a.md#three)\n')
    assert documentation.links(tmp_path) == [
        'b.md: link to gone.md, which does not exist',
        'b.md: link to a.md#three, where no heading has that name',
    ]


def test_unexplained_dependencies_are_found(tmp_path: Path) -> None:
    for folder in ('sandbox', 'requirements'):
        (tmp_path / folder).mkdir()
    (tmp_path / 'CONTRIBUTING.md').write_text('| Package | Why |\n|---|---|\n| a | r |\n')
    (tmp_path / 'setup.cfg').write_text('[options]\ninstall_requires =\n    a>=1\n    b<2\n')
    (tmp_path / 'sandbox' / 'setup.cfg').write_text('[options]\n')
    (tmp_path / 'requirements' / 'x.in').write_text('# comment\nc==1\na\n')
    found = [finding.split(' has no row')[0] for finding in documentation.dependencies(tmp_path)]
    assert found == ['setup.cfg: b', 'requirements/x.in: c']


def test_roles_without_documentation_are_found(tmp_path: Path) -> None:
    (tmp_path / 'roles' / 'do-it' / 'meta').mkdir(parents=True)
    (tmp_path / 'roles' / 'do-it' / 'meta' / 'argument_specs.yml').touch()
    assert documentation.roles(tmp_path) == ['roles/do-it: has no README.rst']


def test_doctor_says_what_works_and_how_to_cure_the_rest() -> None:
    good, bad = doctor.Finding('disk', '20 GiB'), doctor.Finding('root', 'no', 'use sudo')
    text = doctor.text([doctor.Part('static checks', (good,)), doctor.Part('sandbox', (good, bad))])
    assert text.splitlines() == [
        'ok       disk: 20 GiB',
        'missing  root: no',
        '         next: use sudo',
        '',
        'works          static checks',
        'does not work  sandbox',
    ]


def test_a_machine_that_cannot_hold_a_sandbox_is_refused_at_once_with_every_cure() -> None:
    good = doctor.Finding('root', 'yes')
    overlay = doctor.Finding('overlay', 'no', 'use another kernel')
    bridge = doctor.Finding('bridge netfilter', 'not loaded', 'modprobe br_netfilter')
    doctor.demand([lambda: good])
    with pytest.raises(SetupProblem, match='cannot run the sandbox') as caught:
        doctor.demand([lambda: good, lambda: overlay, lambda: bridge])
    assert caught.value.answer == 'overlay: no; bridge netfilter: not loaded'
    assert caught.value.next_step == 'use another kernel; modprobe br_netfilter'


@pytest.mark.parametrize(
    ('controllers', 'file', 'cure'),
    [
        ('cpu cpuset memory pids', 'proc/config.gz', ''),
        ('cpu cpuset memory pids', 'boot/config-6.1.0-1', ''),
        ('cpu cpuset memory pids', 'boot/config-5.10.0-9', 'modprobe configs; or copy its configuration to /boot/conf'),
        ('cpu memory pids', 'proc/config.gz', 'use a kernel with cpuset'),
    ],
)
def test_doctor_looks_for_what_kubeadm_asks_of_the_kernel(
    tmp_path: Path, controllers: str, file: str, cure: str
) -> None:
    for name, text in ((file, ''), ('sys/fs/cgroup/cgroup.controllers', controllers)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = doctor.machines(tmp_path, '6.1.0-1')
    assert cure in found.cure
    assert bool(found.cure) == bool(cure)


def test_doctor_finds_cpuset_in_version_one(tmp_path: Path) -> None:
    for name, text in (('proc/cgroups', '#subsys\ncpuset\t3\t1\t0\n'), ('boot/config-6.1.0-1', '')):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert doctor.machines(tmp_path, '6.1.0-1').state == 'control groups v1 without cpuset'
    (tmp_path / 'proc/cgroups').write_text('#subsys\ncpuset\t3\t1\t1\n')
    assert not doctor.machines(tmp_path, '6.1.0-1').cure


def test_machines_need_two_processors() -> None:
    assert doctor.processors(1).cure == 'kubeadm refuses such machines: use a host with 2'
    assert not doctor.processors(2).cure
    alone = doctor.Part('clusters', (doctor.processors(1),))
    assert not alone.works


def test_doctor_names_hierarchies_of_version_one_that_are_not_mounted() -> None:
    named = 'cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0\n'
    unified = 'cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n'
    assert doctor.unmounted_hierarchies(named + unified) == ()
    assert doctor.unmounted_hierarchies(named) == (('/sys/fs/cgroup/unified', 'cgroup2'),)
    assert doctor.unmounted_hierarchies(unified)[0][1] == 'cgroup -o none,name=systemd'
