"""Real stacks of the community: no error that is not true, and past defects found where they were.

The data is no part of this repository. It is looked for beside it or where SCS_CI_TESTDATA says; without it there is
nothing to test here, and the other tests of this directory cover the same code.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest
import yaml
from stack_tools import ROOT

from scs_ci.core.records import Finding, Severity
from scs_ci.stack import checking, discover
from scs_ci.stack.charts import ChartSource
from scs_ci.stack.check import rule_ids, run_rules
from scs_ci.stack.helm import Helm
from scs_ci.stack.indexes import IndexSource
from scs_ci.stack.model import LAYOUT_A, Facts
from scs_ci.stack.outside import Outside, with_outside
from scs_ci.stack.render import render_stack
from scs_ci.stack.treehash import hashes

DATA = Path(os.environ.get('SCS_CI_TESTDATA') or ROOT.parent / 'shared/testdata')
MAIN = DATA / 'cluster-stacks/main-2026-05-04'
CASES = DATA / 'cluster-stacks/cases'
HASHES = {
    'providers/docker/scs': 'd2lgujmpaticdl7mpnct8bzls3xudync2wtveiqe',
    'providers/openstack/scs': 'sjl0coze4axzhdrahdv3ic5tppichafv8pr5ee7g',
    'providers/openstack/scs2': 'azlfam7rgn823z07ougej26xmpzsohlj0tvr4s0njis',
}
# Errors on the main branch: file, line and rule, with what makes each of them true.
TRUE_ERRORS = {
    # the object asks the operator for a release of 1.31 of a stack that declares v1.30.10
    ('providers/docker/scs/clusterstack.yaml', 9, 'versions-agree'),
    # `allowedCIDRs: {{ .Values.restrict_kubeapi }}` prints a list of two as a list of one text
    ('providers/openstack/scs/cluster-class/templates/openstack-cluster-template.yaml', 14, 'printed-bare'),
    # helm evaluates the condition of a patch, which is not escaped: the patch is always on
    ('providers/docker/scs/cluster-class/templates/cluster-class.yaml', 53, 'template-context'),
    # so with the default, which is '', it writes that, and Cluster API 1.12 wants at least one character
    ('providers/docker/scs/cluster-class/templates/cluster-class.yaml', 62, 'class-results'),
    # oidcConfig adds below apiServer.extraArgs, and the template has `apiServer: {}`: who sets it gets no cluster
    ('providers/openstack/scs2/cluster-class/templates/cluster-class.yaml', 822, 'class-patches'),
}
# Cases whose defect the rules of today state, and the rule that does; 06 is a warning, for documents are not deployed.
FOUND = {
    '01-class-chart-name': 'class-chart-name',
    '02-orc-image-hardware': 'object-schema',
    '03-chart-lock': 'chart-lock',
    '04-mixed-api-versions': 'class-results class-patches',
    '05-components-versions': 'versions-agree',
    '06-readme-version': 'docs-versions',
}

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not MAIN.is_dir(), reason='the public stacks are not here: set SCS_CI_TESTDATA'),
]


def test_hashes_are_those_of_csctl() -> None:
    assert {p.path: hashes(discover.load(MAIN, p).files).cluster_stack for p in discover.find(MAIN)} == HASHES


def test_the_main_branch_has_no_error_that_is_not_true(helm: Helm, tmp_path: Path) -> None:
    source = ChartSource(tmp_path, DATA / 'charts/mirror')
    stacks = [render_stack(discover.load(MAIN, place), helm, source) for place in discover.find(MAIN)]

    errors = {(f.file, f.line, f.rule) for stack in stacks for f in run_rules(stack) if f.severity is Severity.ERROR}
    assert errors == TRUE_ERRORS
    assert all(r.parts and not r.unavailable for stack in stacks for r in stack.renderings)


@pytest.mark.parametrize('place', HASHES)
def test_what_is_said_of_class_and_addons_apart_is_what_is_said_of_the_whole(
    helm: Helm, tmp_path: Path, place: str
) -> None:
    source = ChartSource(tmp_path, DATA / 'charts/mirror')
    outside = Outside(IndexSource(tmp_path, offline=True), '', datetime.datetime(2026, 5, 4, tzinfo=datetime.UTC))
    means = checking.Means(None, source, frozenset(rule_ids()), Facts(), outside)
    stack = discover.load(MAIN, discover.Place(place, LAYOUT_A))

    apart = run_rules(checking.looked_at(stack, MAIN, helm, means))

    assert apart == run_rules(render_stack(with_outside(stack, MAIN, outside), helm, source))
    assert {'class-schema', 'values-keys', 'addon-capabilities'} <= {f.rule for f in apart} or 'scs2' not in place


def _states(finding: Finding, case: str) -> bool:
    # a warning says that the class may be right
    return finding.rule in FOUND[case].split() and (finding.severity is Severity.ERROR or case.startswith('06'))


@pytest.mark.parametrize('case', FOUND)
def test_past_defects_are_found_at_their_lines_and_not_after_they_were_corrected(
    helm: Helm, tmp_path: Path, case: str
) -> None:
    source = ChartSource(tmp_path, DATA / 'charts/mirror')

    def places(state: str) -> set[tuple[str, int]]:
        checkout = CASES / case / state
        stacks = [render_stack(discover.load(checkout, p), helm, source) for p in discover.find(checkout)]
        return {(f.file, f.line) for stack in stacks for f in run_rules(stack) if _states(f, case)}

    expected = yaml.safe_load((CASES / case / 'case.yaml').read_text())['expected']
    assert {(e['file'], e['line']) for e in expected} <= places('before')
    assert not (CASES / case / 'after').is_dir() or not places('after')
