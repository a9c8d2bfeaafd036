#!/usr/bin/python
"""Thin module; the report itself is module_utils/scs_ci/report."""

from __future__ import annotations

DOCUMENTATION = r"""
module: scs_report
short_description: Turn the directory of a test run into a verdict
description:
  - Reads the records that the stages of a run left in its directory and writes C(verdict.json), C(comment.md),
    C(index.html), C(junit.xml) and C(zuul_return.json) into its folder C(report).
  - The report is a pure function of the directory. What is missing or damaged is part of the report; a planned stage
    without a record is an error.
  - The module fails only when there is no such directory. Whether the run passed is in RV(outcome) and RV(exit_code).
version_added: 0.1.0
author: SCS community
options:
  run_dir:
    description: Directory of the run, on the host where the module runs.
    type: path
    required: true
  prefix:
    description: Path of the run directory below the log URL of the Zuul build, for the addresses of the artifacts.
    type: str
    default: ''
attributes:
  check_mode:
    description: Returns the verdict without writing files.
    support: full
  diff_mode:
    description: Does not show the difference to an earlier report.
    support: none
"""

EXAMPLES = r"""
- name: Write the report of a run
  scs_report:
    run_dir: /tmp/run
  register: report

- name: Hand the report to Zuul
  zuul_return:
    data: "{{ report.zuul_return }}"
  when: zuul is defined
"""

RETURN = r"""
outcome:
  description: Outcome of the run, one of V(passed), V(skipped), V(error), V(failed).
  type: str
  returned: success
exit_code:
  description: 0 passed, 1 failed, 3 error, 4 leftovers in the cloud and nothing else wrong.
  type: int
  returned: success
verdict:
  description: Content of C(verdict.json).
  type: dict
  returned: success
zuul_return:
  description: Content of C(zuul_return.json), the RV(ignore:data) of C(zuul_return).
  type: dict
  returned: success
comment:
  description: Content of C(comment.md).
  type: str
  returned: success
report_dir:
  description: Folder with the files of the report.
  type: str
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.scs_ci.core.errors import Problem
from ansible.module_utils.scs_ci.report import read, write
from ansible.module_utils.scs_ci.report.comment import comment
from ansible.module_utils.scs_ci.report.output import DIRECTORY, differs
from ansible.module_utils.scs_ci.report.verdict import verdict
from ansible.module_utils.scs_ci.report.zuul_return import zuul_return

SPEC = {
    'run_dir': {'type': 'path', 'required': True},
    'prefix': {'type': 'str', 'default': ''},
}


def report(path: Path, prefix: str, dry: bool) -> dict[str, object]:
    result = read(path)
    changed = differs(path, result)
    if not dry:
        write(path, result, prefix)
    return {
        'changed': changed,
        'outcome': result.outcome.value,
        'exit_code': int(result.exit),
        'verdict': verdict(result),
        'zuul_return': zuul_return(result, prefix),
        'comment': comment(result),
        'report_dir': str(path / DIRECTORY),
    }


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    try:
        answer = report(Path(module.params['run_dir']), module.params['prefix'], module.check_mode)
    except Problem as problem:
        module.fail_json(msg=str(problem), verdict=problem.verdict)
    module.exit_json(**answer)


if __name__ == '__main__':
    main()
