"""The real helm as a child process: bounded, without the user's settings, its errors turned into data."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ..core.errors import TimeoutProblem, ToolProblem
from ..core.process import Completed, run
from .model import Rendered

# Rendering cilium takes 0.4 s on an idle core; a template that loops must not hold the run.
RENDER_SECONDS = 60
PACKAGE_SECONDS = 60
# A chart of 1 MB over a slow line, with helm's index download before it (cilium's index has 5 MB).
PULL_SECONDS = 180
SOURCE = re.compile(r'^# Source: (\S+)$')
# helm says `chart/templates/x.yaml:12:34: executing …` or `(chart/templates/x.yaml:12)`
BAD_YAML = re.compile(r'YAML parse error on (\S+?):? ')
PLACE = re.compile(r'([\w.-]+/(?:[\w./-]+/)?[\w.-]+\.(?:yaml|yml|tpl|txt)):(\d+)')


@dataclass(frozen=True)
class Output:
    """Result of a rendering: parts, or error with the template and line that helm named.

    When a template prints no YAML there are both: the parts are what it printed.
    """

    parts: tuple[Rendered, ...] = ()
    error: str = ''
    template: str = ''
    line: int = 1


@dataclass(frozen=True)
class Helm:
    """A helm program with a home of its own, so that neither plugins nor repositories of the user matter."""

    program: Path
    home: Path

    def run(self, *words: str | Path, seconds: float, cwd: Path, stdin: str | None = None) -> Completed:
        return run([self.program, *words], timeout=seconds, cwd=cwd, env=self._environment(), stdin=stdin)

    def template(
        self,
        chart: Path,
        release: str,
        namespace: str,
        *,
        values: str = '',
        kubernetes: str = '',
        crds: bool = False,
    ) -> Output:
        """Render a chart as the Cluster Stack Operator calls helm. values: YAML text; kubernetes: e.g. 'v1.34.7'."""
        words: list[str | Path] = ['template', release, chart, '--namespace', namespace]
        words += ['--include-crds'] if crds else []
        words += ['--kube-version', kubernetes] if kubernetes else []
        words += ['-f', '-'] if values else []
        try:
            done = self.run(*words, seconds=RENDER_SECONDS, cwd=self.home, stdin=values or None)
        except TimeoutProblem:
            return Output(error=f'helm did not end within {RENDER_SECONDS} s: does a template loop?')
        if done.code == 0:
            return Output(parts=split(done.stdout))
        output = failed(done.last_words())
        if BAD_YAML.search(output.error):
            # with --debug helm prints what it could not parse, and so its line becomes known
            shown = self.run(*words, '--debug', seconds=RENDER_SECONDS, cwd=self.home, stdin=values or None)
            output = replace(output, parts=split(shown.stdout))
        return output

    def package(self, chart: Path, version: str, target: Path) -> Path:
        """Pack a chart directory into `target`; returns the archive."""
        before = set(target.glob('*.tgz'))
        done = self.run('package', chart, '--version', version, '-d', target, seconds=PACKAGE_SECONDS, cwd=self.home)
        made = set(target.glob('*.tgz')) - before
        if done.code or len(made) != 1:
            raise ToolProblem(
                'cannot pack', f'chart {chart.name}', done.last_words(), "run 'scs-ci check' on the stack"
            )
        return made.pop()

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith('HELM_') or k == 'HELM_DEBUG'}
        own = {f'HELM_{name}_HOME': str(self.home / name.lower()) for name in ('CACHE', 'CONFIG', 'DATA')}
        return {**kept, **own, 'LC_ALL': 'C'}


@contextmanager
def helm(tools: Path | None) -> Iterator[Helm]:
    """The helm of a tools directory, of SCS_CI_TOOLS or of PATH; its home lives as long as the block."""
    program = find(tools, os.environ)
    with TemporaryDirectory(prefix='scs-ci-helm-') as home:
        yield Helm(program, Path(home))


def find(tools: Path | None, environment: Mapping[str, str]) -> Path:
    """Path of helm. A directory that was named must have it: falling back to another helm would hide the mistake."""
    named = tools or (Path(environment['SCS_CI_TOOLS']) if environment.get('SCS_CI_TOOLS') else None)
    if named:
        for candidate in (named / 'bin' / 'helm', named / 'helm'):
            if os.access(candidate, os.X_OK):
                return candidate.absolute()
        raise ToolProblem(
            'cannot find', f'program helm in {named}', 'no bin/helm', "run 'make tools' or correct the directory"
        )
    found = shutil.which('helm', path=environment.get('PATH'))
    if not found:
        advice = "run 'make tools', set SCS_CI_TOOLS or install helm 3"
        raise ToolProblem('cannot find', 'program helm', 'neither in SCS_CI_TOOLS nor in PATH', advice)
    return Path(found)


def split(text: str) -> tuple[Rendered, ...]:
    """helm's output by template: each part starts after its `# Source:` line. Text before the first one is ''."""
    parts: list[tuple[str, list[str]]] = []
    for line in text.split('\n'):
        match = SOURCE.match(line)
        if match:
            parts.append((match[1], []))
        elif parts:
            parts[-1][1].append(line)
    return tuple(
        Rendered(template, '\n'.join(lines).removesuffix('---\n').removesuffix('---')) for template, lines in parts
    )


def failed(answer: str) -> Output:
    """A rendering that failed, with the deepest place that helm named."""
    places = PLACE.findall(answer)
    bad = BAD_YAML.search(answer)
    template, line = places[-1] if places else (bad[1].rstrip(':') if bad else '', '1')
    error = answer.strip().removeprefix('Error: ').replace('Use --debug flag to render out invalid YAML', '')
    return Output(error=' '.join(error.split()), template=template, line=int(line))
