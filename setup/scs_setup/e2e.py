"""`make e2e`: the sandbox up, the playbook inside, the sandbox down; the verdict is the exit code."""

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from . import apt, before, bundle, cache, doctor, environments, launch, paths, stages
from .problems import ERROR, LEFTOVERS, PASSED, USAGE, SetupProblem

# It looks at processes and one socket; seconds only on a machine that is busy with other sandboxes.
STATUS_SECONDS = 60

# What decides how far it goes, beside its default.
FAR = ('E2E', *stages.MORE, 'CNI')


@dataclass(frozen=True)
class Request:
    """What to test; '' leaves it to the playbook's defaults. keep: sandbox and everything in its cloud stay. words: as
    they were given, of what decides how far it goes. cni: pod network of machines. machines: versions of Kubernetes
    that they are of. before: checkout of the releases before, which clusters are made of, and before_stacks in it."""

    checkout: str = ''
    stacks: str = ''
    changed_since: str = ''
    charts: str = ''
    baseline: str = ''
    images: str = ''
    run_dir: str = ''
    name: str = 'default'
    keep: bool = False
    extent: stages.Extent = stages.EXTENTS[stages.CLUSTER]
    words: tuple[tuple[str, str], ...] = ()
    cni: str = 'none'
    machines: tuple[str, ...] = ()
    before: str = ''
    before_stacks: tuple[str, ...] = ()


def request(environ: Mapping[str, str]) -> Request:
    """The request that make hands over in environment variables.

    Raises:
        SetupProblem: a checkout, chart directory or baseline that does not exist, or a value that cannot be.
    """
    return Request(
        checkout=_directory(environ, 'CHECKOUT'),
        stacks=environ.get('STACKS', '').strip(),
        changed_since=environ.get('CHANGED_SINCE', '').strip(),
        charts=_directory(environ, 'CHARTS'),
        baseline=_existing(environ, 'BASELINE', Path.is_file, 'file'),
        images=_directory(environ, 'IMAGES'),
        run_dir=str(Path(environ['RUN_DIR']).resolve()) if environ.get('RUN_DIR') else '',
        name=environ.get('SANDBOX', '').strip() or 'default',
        keep=environ.get('KEEP', '').strip() not in ('', '0'),
        extent=stages.chosen(environ),
        cni=stages.pod_network(environ, _directory(environ, 'CHECKOUT')),
        words=tuple((name, environ[name].strip()) for name in FAR if environ.get(name, '').strip()),
    )


def _directory(environ: Mapping[str, str], name: str) -> str:
    return _existing(environ, name, Path.is_dir, 'directory')


def _existing(environ: Mapping[str, str], name: str, there: Callable[[Path], bool], kind: str) -> str:
    value = environ.get(name, '').strip()
    if value and not there(Path(value)):
        raise SetupProblem(
            f'cannot use {name}={value}', f'no such {kind}', f'give the path of a {kind} as {name}', USAGE
        )
    return str(Path(value).resolve()) if value else ''


def extra_variables(asked: Request, run_dir: str) -> list[str]:
    """Arguments of ansible-playbook for a request, as JSON: values may hold spaces and quotes."""
    values = {
        'cloud': 'sandbox',
        'checkout': asked.checkout,
        'stacks': asked.stacks,
        'changed_since': asked.changed_since,
        'charts': asked.charts,
        'baseline': asked.baseline,
        'run_dir': run_dir,
        'repeat': repeat(asked),
        'keep': asked.keep,
        **stages.extra_variables(asked.extent),
    }
    if asked.before:  # a copy without history, so that stacks that changed are named
        stacks = {'stacks': ','.join(asked.before_stacks), 'changed_since': ''}
        values |= {
            'checkout': asked.before,
            'upgrade_to': asked.checkout or str(paths.CHECKOUT / stages.EXAMPLE),
            **stacks,
        }
    told = {name: value for name, value in values.items() if value is not False and value != ''}
    return [part for name, value in told.items() for part in ('--extra-vars', json.dumps({name: value}))]


def repeat(asked: Request) -> str:
    """The command that does the same again, for the report."""
    words = {
        'CHECKOUT': asked.checkout,
        'STACKS': asked.stacks,
        'CHANGED_SINCE': asked.changed_since,
        'CHARTS': asked.charts,
        'BASELINE': asked.baseline,
        'IMAGES': asked.images,
        **dict(asked.words),
    }
    return ' '.join(['make e2e', *(f'{name}={shlex.quote(value)}' for name, value in words.items() if value)])


def main(asked: Request) -> int:
    """Run it and return the exit code of the project (0, 1, 2, 3, 4)."""
    doctor.demand((*doctor.HOST, doctor.machines) if asked.extent.machines else doctor.HOST)
    apt.ensure('sandbox')
    openstack = environments.ensure('openstack')
    launch.terminate_like_interrupt()
    env = {**launch.prepared(with_tools=True), 'SCS_SANDBOX_OPENSTACK': str(openstack)}
    bundle.ensure(env)
    run_dir = asked.run_dir or tempfile.mkdtemp(prefix='scs-ci-run-')
    if asked.extent.machines:
        deployed, code = stages.versions(asked.checkout, asked.stacks, asked.changed_since, env)
        if code != PASSED:
            return code
        asked, deployed = _with_machines(asked, deployed, run_dir)
        env['SCS_CI_TOOLS'] = os.environ.get('SCS_CI_TOOLS') or str(
            stages.build(asked.extent, deployed, asked.machines)
        )
    variables = extra_variables(asked, run_dir)
    sandbox = ['scs-sandbox', '--name', asked.name]
    wish = ['--charts', asked.charts] if asked.charts else []
    wish += ['--images', asked.images] if asked.images else []
    wish += ['--machines', *asked.machines, '--cni', asked.cni] if asked.machines else []
    if not asked.keep and _is_up(sandbox, env):
        cache.say(f'the sandbox {asked.name} was up before, so it stays up')
        asked = replace(asked, keep=True)
    code = ERROR
    try:
        code = launch.call([*sandbox, 'up', *wish], env)
        if code == PASSED:
            code = _play([*sandbox, 'exec', '--'], variables, run_dir, env)
    finally:
        down = _down(sandbox, asked, env)
    cache.say(f'run directory {run_dir}, report {Path(run_dir) / "report" / "index.html"}')
    return code if code != PASSED else down


def _with_machines(
    asked: Request, deployed: dict[str, list[str]], run_dir: str
) -> tuple[Request, dict[str, list[str]]]:
    """The request with the machines that it needs, and what is deployed: of the minor before, if that is asked for."""
    if not asked.extent.new_minor:
        return replace(asked, machines=tuple(deployed)), deployed
    place = Path(f'{run_dir.rstrip("/")}-before')
    lowered = before.write(Path(asked.checkout or paths.CHECKOUT / stages.EXAMPLE), deployed, place)
    cache.say(f'clusters are made of {place}, where stacks are of {", ".join(lowered)}')
    stacks = tuple(path for of_it in lowered.values() for path in of_it)
    machines = tuple(dict.fromkeys((*lowered, *deployed)))
    return replace(asked, machines=machines, before=str(place), before_stacks=stacks), lowered


def _play(enter: list[str], variables: list[str], run_dir: str, env: Mapping[str, str]) -> int:
    playbook = ['ansible-playbook', 'playbooks/e2e.yaml', *variables]
    ansible = {**env, 'ANSIBLE_CONFIG': str(paths.CHECKOUT / 'ansible.cfg')}
    played = launch.call([*enter, *playbook], ansible)
    # Ansible knows only "some task failed"; the verdict in the run directory knows whose fault it was.
    verdict = launch.call(['scs-ci', 'report', '--run', run_dir, '--exit-only'], env)
    if played != PASSED and verdict == PASSED:
        cache.say(f'the playbook ended with {played} although the verdict is passed: counted as an error of the tool')
        return ERROR
    return verdict


def _is_up(sandbox: list[str], env: Mapping[str, str]) -> bool:
    """Whether somebody started this sandbox before us; only what we started is ours to take down."""
    status = subprocess.run(
        [*sandbox, 'status'], env=dict(env), capture_output=True, timeout=STATUS_SECONDS, check=False
    )
    return status.returncode == PASSED


def _down(sandbox: list[str], asked: Request, env: Mapping[str, str]) -> int:
    if asked.keep:
        cache.say(f'the sandbox stays; take it down with: bin/scs-sandbox --name {asked.name} down')
        return PASSED
    return PASSED if launch.call([*sandbox, 'down'], env) == PASSED else LEFTOVERS
