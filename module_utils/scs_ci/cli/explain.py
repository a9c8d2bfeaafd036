"""scs-ci explain: why a rule is there, with a bad and a good example."""

from __future__ import annotations

import argparse

from ..core.outcome import Exit
from ..stack.check import all_rules
from ..stack.explain import explain
from ..stack.selection import find


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('rules', nargs='+', metavar='RULE', help="names of rules, see 'scs-ci rules'")


def run(options: argparse.Namespace) -> Exit:
    rules = all_rules()
    print('\n\n'.join(explain(find(rules, name)) for name in options.rules))
    return Exit.PASSED
