"""index.html: the result as one page that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from urllib.parse import quote

import jinja2

from ..core.outcome import Outcome
from .result import Result, stage_columns
from .timeline import ROW, WIDTH, timeline

# Plain characters: every font has them, unlike the pictures of comment.md.
MARKS = {Outcome.PASSED: '✓', Outcome.FAILED: '✗', Outcome.ERROR: '!', Outcome.SKIPPED: '–'}

STYLE = """
:root { color-scheme: light dark; --ink: #1c2126; --paper: #ffffff; --soft: #f2f4f6; --line: #d3d9de; --faint: #5c6770;
  --passed: #1a7f4b; --failed: #c3282d; --error: #b35a00; --skipped: #77828b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8eb; --paper: #15191c; --soft: #1f252a; --line: #39424a;
  --faint: #9aa6af; --passed: #4fc487; --failed: #ff7b7b; --error: #f3a54a; --skipped: #8d99a2; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; color: var(--faint); }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } td span { white-space: nowrap; } td.reason { overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; } dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
code, pre { font: .875em/1.45 ui-monospace, monospace; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 4px; padding: .75rem; margin: .5rem 0;
  max-height: 36rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.passed { color: var(--passed); } .failed { color: var(--failed); } .error { color: var(--error); }
.skipped { color: var(--skipped); } .next { color: var(--faint); }
svg { width: 100%; min-width: 40rem; height: auto; display: block; } svg text { fill: var(--ink); font-size: 12px; }
svg .tick { stroke: var(--line); } svg .lane { fill: var(--faint); }
rect { stroke: var(--paper); }
rect.passed { fill: var(--passed); } rect.failed { fill: var(--failed); } rect.error { fill: var(--error); }
rect.skipped { fill: var(--skipped); }
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ result.outcome }}: cluster stacks, run {{ result.run or 'unknown' }}</title>
<style>{{ style | safe }}</style>
</head>
<body>
<h1><span class="{{ result.outcome }}">{{ mark(result.outcome) }} {{ result.outcome }}</span> – cluster stacks</h1>
<dl>
{%- for name, value in summary %}
<dt>{{ name }}</dt><dd>{% if name == 'repeat' %}<code>{{ value }}</code>{% else %}{{ value }}{% endif %}</dd>
{%- endfor %}
</dl>

<h2 id="versions">Versions</h2>
{% if result.versions -%}
<div class="scroll"><table>
<thead><tr><th scope="col">stack</th><th scope="col">Kubernetes</th><th scope="col">release</th>
{%- for column in columns %}<th scope="col">{{ column }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for version in result.versions %}
<tr><th scope="row"><a href="#{{ version.key }}">{{ version.stack }}</a></th>
<td>{{ version.kubernetes }}</td><td><code>{{ version.release }}</code></td>
{%- for column in columns %}
<td>{% for stage in version.stages if stage.stage == column %}
<span class="{{ stage.outcome }}">{{ mark(stage.outcome) }} {{ stage.outcome }}</span>
{%- if stage.started and stage.outcome != 'skipped' %} <span>{{ '%.1f' % stage.seconds }} s</span>{% endif %}
{%- endfor %}</td>
{%- endfor %}</tr>
{%- endfor %}
</tbody></table></div>
{%- else %}
<p class="error">No version was tested.</p>
{%- endif %}

{% if timeline -%}
<h2 id="timeline">Timeline</h2>
<div class="scroll"><svg viewBox="0 0 {{ width }} {{ timeline.height }}" role="img" aria-label="When which stage ran">
{%- for tick in timeline.ticks %}
<line class="tick" x1="{{ tick.x }}" x2="{{ tick.x }}" y1="16" y2="{{ timeline.height }}"/>
<text x="{{ tick.x + 3 }}" y="12">{{ tick.label }}</text>
{%- endfor %}
{%- for name, y in timeline.lanes %}
<text class="lane" x="0" y="{{ y + 16 }}">{{ name }}</text>
{%- endfor %}
{%- for bar in timeline.bars %}
<g><title>{{ bar.title }}</title><rect class="{{ bar.outcome }}" x="{{ bar.x }}" y="{{ bar.y + 3 }}"
  width="{{ bar.width }}" height="{{ row - 6 }}" rx="2"/></g>
{%- endfor %}
</svg></div>
{%- endif %}

{% macro stages(rows) -%}
<div class="scroll"><table>
<thead><tr>
<th scope="col">stage</th><th scope="col">outcome</th>
<th scope="col">time</th><th scope="col">reason</th></tr></thead>
<tbody>
{%- for stage in rows %}
<tr><th scope="row">{{ stage.stage }}</th>
<td class="{{ stage.outcome }}">{{ mark(stage.outcome) }} {{ stage.outcome }}</td>
<td>{{ '%.1f s' % stage.seconds if stage.started else '' }}</td>
<td class="reason">{{ stage.reason }}
{%- if stage.advice %}<div class="next">next: {{ stage.advice }}</div>{% endif %}
{%- if stage.simulated %}<div class="next">simulated: {{ stage.simulated | join(', ') }}</div>{% endif %}
{%- for note in stage.notes %}<div>{{ note }}</div>{% endfor %}
{%- for artifact in stage.artifacts %}
<div><a href="../{{ address(artifact) }}">{{ artifact }}</a></div>
{%- endfor %}</td></tr>
{%- endfor %}
</tbody></table></div>
{%- endmacro %}

<h2 id="run">Run</h2>
{{ stages(result.stages) }}
{% for version in result.versions %}
<h2 id="{{ version.key }}">{{ version.stack }} {{ version.kubernetes }}</h2>
{% if version.why %}<p>In this run: {{ version.why }}</p>
{% endif -%}
{{ stages(version.stages) }}
{% endfor %}
{% if result.leftovers -%}
<h2 id="leftovers">Left in the cloud</h2>
<div class="scroll"><table>
<thead><tr>
<th scope="col">kind</th><th scope="col">name</th>
<th scope="col">id</th><th scope="col">reason</th></tr></thead>
<tbody>
{%- for resource in result.leftovers %}
<tr><td>{{ resource.kind }}</td><td>{{ resource.name }}</td><td><code>{{ resource.id }}</code></td>
<td>{{ resource.reason }}</td></tr>
{%- endfor %}
</tbody></table></div>
{%- endif %}

{% if result.findings -%}
<h2 id="findings">Findings</h2>
<div class="scroll"><table>
<thead><tr>
<th scope="col">place</th>
<th scope="col">severity</th><th scope="col">rule</th><th scope="col">finding</th></tr></thead>
<tbody>
{%- for finding in result.findings %}
<tr><td><code>{{ finding.file }}:{{ finding.line }}</code></td><td>{{ finding.severity }}</td>
<td>{{ finding.rule }}</td>
<td class="reason">{{ finding.message }}
{%- if finding.seen is not none %}<div>is <code>{{ finding.seen }}</code></div>{% endif %}
{%- if finding.wanted is not none %}<div>wanted <code>{{ finding.wanted }}</code></div>{% endif %}
{%- if finding.fix %}<div class="next">fix: {{ finding.fix }}</div>{% endif %}</td></tr>
{%- endfor %}
</tbody></table></div>
{%- endif %}

{% if result.tools -%}
<h2 id="tools">Tools</h2>
<dl>
{%- for name, version in result.tools %}<dt>{{ name }}</dt><dd>{{ version }}</dd>{% endfor %}
</dl>
{%- endif %}

{% if result.log -%}
<h2 id="log">Log</h2>
<pre>{{ result.log }}</pre>
{%- endif %}
</body>
</html>
"""


def page(result: Result) -> str:
    """The whole page. Jinja escapes every value: texts come from clouds and pull requests."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.globals.update(mark=MARKS.__getitem__, address=quote)
    return environment.from_string(PAGE).render(
        result=result,
        style=STYLE,
        summary=_summary(result),
        columns=stage_columns(result.versions),
        timeline=timeline(result),
        width=WIDTH,
        row=ROW,
    )


def _summary(result: Result) -> list[tuple[str, str]]:
    entries = {
        'run': result.run,
        'checkout': result.checkout,
        'commit': result.commit,
        'cloud': result.cloud,
        'simulated': ', '.join(result.simulated),
        'repeat': result.repeat,
    }
    return [(name, value) for name, value in entries.items() if value]
