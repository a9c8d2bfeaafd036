"""scs-ci rules: list the rules of the check."""

from __future__ import annotations

import argparse
import json

from ..core.outcome import Exit
from ..stack.check import all_rules
from ..stack.explain import table
from .common import add_json


def arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(options: argparse.Namespace) -> Exit:
    rules = all_rules()
    if options.json:
        entries = [{'id': r.id, 'severity': r.severity, 'title': r.title, 'motivation': r.motivation} for r in rules]
        print(json.dumps(entries, indent=2, ensure_ascii=False))
    else:
        print(table(rules))
    return Exit.PASSED
