"""overwrite.yaml: a Go template over the live objects of a cluster, rendered by helm, which has the same engine.

Limits, all of them differences between helm and the Cluster Stack Operator: helm prints nothing where CSO prints
`<no value>` (hence `unresolved`, which finds such paths); integers above 10^6 in the objects print as floats; helm
knows functions that CSO does not (include, tpl, toYaml, lookup) and lacks env and expandenv.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import yamltext
from .helm import Helm

TOP_KEYS = ('Cluster', 'ControlPlane', 'InfraCluster')
CHART = 'apiVersion: v2\nname: overwrite\nversion: 0.0.0\n'
# The text travels as a JSON string in a ConfigMap: helm parses what templates print, and it must reach us as it is.
TEMPLATE = """apiVersion: v1
kind: ConfigMap
metadata: {name: overwrite}
data:
  text: {{ tpl (.Files.Get "overwrite.tpl") .Values | toJson }}
"""
ACTION = re.compile(r'\{\{-?(.*?)-?\}\}', re.DOTALL)
PATH = re.compile(r'(?<![\w.$)])\$?\.((?:Cluster|ControlPlane|InfraCluster|[A-Z]\w*)(?:\.\w+)*)')
STRING = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`')


@dataclass(frozen=True)
class Values:
    """Values document for helm, or the error and the line of overwrite.yaml that caused it."""

    text: str = ''
    error: str = ''
    line: int = 1


def render(template: str, objects: Mapping[str, Any], helm: Helm) -> Values:
    """Render an overwrite file. objects: 'Cluster' and, where it refers to them, 'ControlPlane' and 'InfraCluster'."""
    if '{{' not in template:
        return extract(template)
    with TemporaryDirectory(prefix='scs-ci-overwrite-') as work:
        chart = Path(work) / 'overwrite'
        (chart / 'templates').mkdir(parents=True)
        (chart / 'Chart.yaml').write_text(CHART)
        (chart / 'templates' / 'out.yaml').write_text(TEMPLATE)
        (chart / 'overwrite.tpl').write_text(template, encoding='utf-8')
        output = helm.template(chart, 'overwrite', 'default', values=json.dumps(objects))
    if output.error:
        return Values(error=output.error, line=_line(output.error))
    documents = yamltext.parse(output.parts[0].text)
    root = documents[0].root
    return extract(root.value('data', 'text') if root is not None else '')


def extract(rendered: str) -> Values:
    """The values document of a rendered overwrite file: below the string key `values`, or the whole."""
    try:
        documents = yamltext.parse(rendered)
    except yamltext.Broken as error:
        return Values(error=f'the rendering is not YAML: {error.message}', line=error.line)
    root = documents[0].root if documents else None
    inner = root.get('values') if root is not None else None
    if isinstance(inner, yamltext.Scalar) and inner.tag == 'tag:yaml.org,2002:str':
        return Values(inner.content)
    return Values(rendered)


def unresolved(template: str, objects: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Paths in the template that the objects do not have, with their lines: CSO prints `<no value>` there.

    Only plain paths outside of range, with, if and default are looked at; those are allowed to be absent.
    """
    found: list[tuple[str, int]] = []
    for action in ACTION.finditer(template):
        code = STRING.sub('""', action[1])
        if re.search(r'\b(range|with|if|else|default|dig|hasKey|get|coalesce|define|template)\b|:=|/\*', code):
            continue
        for match in PATH.finditer(code):
            if not _has(objects, match[1].split('.')):
                found.append((f'.{match[1]}', template.count('\n', 0, action.start()) + 1))
    return found


def _has(objects: Mapping[str, Any], keys: list[str]) -> bool:
    value: Any = objects
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return False
        value = value[key]
    return True


def _line(error: str) -> int:
    """helm names the line inside the text given to tpl as `template: gotpl:<line>:<column>` or `overwrite/…:<line>`."""
    lines = re.findall(r'gotpl:(\d+)', error)
    return int(lines[-1]) if lines else 1
