"""The built Go programs: names, versions, stamps, manifests."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scs_setup import environments, programs, toolchain, tools
from scs_setup.process import run

pytestmark = pytest.mark.integration

PROGRAMS, MANIFESTS = programs.catalog()


@pytest.fixture(scope='module')
def built() -> Path:
    return tools.ensure()


@pytest.fixture(scope='module')
def go() -> toolchain.Toolchain:
    return toolchain.ensure()


@pytest.mark.parametrize('name', sorted(PROGRAMS))
def test_program_has_the_pinned_version(built: Path, go: toolchain.Toolchain, name: str) -> None:
    assert tools.wrong_version(go, PROGRAMS[name], built / 'bin' / name) == ''


def test_wrong_versions_are_noticed(built: Path, go: toolchain.Toolchain) -> None:
    helm = built / 'bin' / 'helm'
    other = dataclasses.replace(PROGRAMS['helm'], answer='{version}1')
    assert 'answered' in tools.wrong_version(go, other, helm)
    shorter = dataclasses.replace(PROGRAMS['kube-apiserver'], answer='Kubernetes v1.34.1')
    assert 'answered' in tools.wrong_version(go, shorter, built / 'bin' / 'kube-apiserver')
    assert 'recorded in it: none' in tools.wrong_version(go, PROGRAMS['capo'], helm)


@pytest.mark.parametrize('name', sorted(name for name, program in PROGRAMS.items() if programs.stamps(program)))
def test_each_stamped_variable_exists(go: toolchain.Toolchain, name: str) -> None:
    """The linker says nothing about a variable that no package declares."""
    program = PROGRAMS[name]
    for variable in programs.stamps(program):
        named, _, short = variable.rpartition('.')
        package = program.package if named == 'main' else named  # the linker's name of the program's own package
        directory = run(
            [go.go, 'list', '-f', '{{.Dir}}', package],
            f'cannot find {package}',
            'correct the stamp',
            tools.ANSWER_SECONDS,
            cwd=tools.paths.TOOLS / program.module,
            env=toolchain.environment(go),
        ).strip()
        sources = '\n'.join(file.read_text() for file in Path(directory).glob('*.go'))
        assert re.search(rf'^\s*(var\s+)?{short}\s*(string|=)', sources, re.MULTILINE), variable


def test_nothing_but_the_programs_is_there_and_versions_are_written(built: Path) -> None:
    assert {file.name for file in (built / 'bin').iterdir()} == set(PROGRAMS)
    versions = json.loads((built / 'versions.json').read_text())
    assert versions.pop('go').startswith('go1.')
    assert versions == {name: programs.version(program) for name, program in PROGRAMS.items()}


def test_programs_need_no_library_of_the_host(built: Path) -> None:
    for file in (built / 'bin').iterdir():
        with file.open('rb') as opened:
            # The program headers and the name of the dynamic linker, if there is one, are at the beginning.
            beginning = opened.read(16384)
        assert beginning.startswith(b'\x7fELF'), file.name
        assert b'/ld-linux' not in beginning, file.name


def test_manifests_hold_definitions_and_webhooks(built: Path) -> None:
    for name in MANIFESTS:
        crds = list((built / 'manifests-src' / name / 'crd' / 'bases').glob('*.yaml'))
        assert crds, name
        assert all('\nkind: CustomResourceDefinition\n' in file.read_text() for file in crds)
        # ORC has no webhooks.
        assert (built / 'manifests-src' / name / 'webhook' / 'manifests.yaml').is_file() == (name != 'orc')


def test_helm_believes_in_the_kubernetes_of_the_plane(built: Path, tmp_path: Path) -> None:
    (tmp_path / 'templates').mkdir()
    (tmp_path / 'Chart.yaml').write_text('apiVersion: v2\nname: v\nversion: 0.1.0\n')
    (tmp_path / 'templates' / 'v.yaml').write_text('version: {{ .Capabilities.KubeVersion.Version }}\n')
    command = [built / 'bin' / 'helm', 'template', 'r', tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    minor = programs.substitutions(PROGRAMS['kube-apiserver'])['minor']
    assert f'version: v1.{minor}.' in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize('python', ['3.11', '3.12', '3.13'])
@pytest.mark.parametrize('name', list(environments.INPUTS))
def test_lock_fits_each_python(name: str, python: str, tmp_path: Path) -> None:
    """Resolving the lock alone again, for one version, must find all of it."""
    target = tmp_path / 'resolved.txt'
    run(
        [
            environments.uv(),
            'pip',
            'compile',
            '--quiet',
            '--no-annotate',
            '--python-version',
            python,
            '--python',
            sys.executable,
        ]
        + ['--output-file', target, environments.lock_file(name)],
        f'cannot resolve the lock {name} for Python {python}',
        'look at the requirement that the message names',
        environments.RESOLVE_SECONDS,
    )
    resolved = set(re.findall(r'^(\S+==\S+)', target.read_text(), re.MULTILINE))
    locked = set(re.findall(r'^(\S+==\S+)', environments.lock_file(name).read_text(), re.MULTILINE))
    assert resolved
    assert resolved <= locked
