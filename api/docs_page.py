"""/docs: the OpenAPI document as one plain page. No script, nothing from other hosts."""

import base64
import hashlib
import json
from functools import cache
from typing import Any

Json = dict[str, Any]

STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; text-transform: capitalize; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: .5rem .8rem; }
summary { cursor: pointer; }
code, pre { font: .875rem/1.45 ui-monospace, monospace; }
pre { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem; padding: .6rem; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 600; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem .3rem 0; }
th, td { text-align: left; vertical-align: top; }
"""
STYLE_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_DIGEST}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ info.title }} API {{ info.version }}</title><style>{{ style | safe }}</style></head>
<body>
<h1>{{ info.title }} <small>{{ info.version }}</small></h1>
<p>{{ info.summary }} {{ info.description }} The same as JSON: <a href="/openapi.json">/openapi.json</a>.</p>
{% for tag, calls in tags.items() %}
<h2>{{ tag }}</h2>
{% for call in calls %}
<details id="{{ call.operationId }}">
<summary><code><span class="method">{{ call.method }}</span>{{ call.path }}</code>
— {{ call.summary }}</summary>
{% if call.parameters %}<h3>Parameters</h3><table><tr><th>Name</th><th>In</th><th>Meaning</th></tr>
{% for parameter in call.parameters %}
<tr><td><code>{{ parameter.name }}</code></td><td>{{ parameter.in }}</td>
<td>{{ parameter.description }}</td></tr>
{% endfor %}</table>{% endif %}
{% if call.requestBody %}<h3>Body</h3>
{% for media_type, content in call.requestBody.content.items() %}
<p><code>{{ media_type }}</code></p><pre>{{ content.schema | pretty }}</pre>{% endfor %}{% endif %}
<h3>Answers</h3><table><tr><th>Status</th><th>Meaning</th><th>Content</th></tr>
{% for status, answer in call.responses.items() %}
<tr><td>{{ status }}</td><td>{{ answer.description }}</td>
<td>{% for media_type, content in (answer.content or {}).items() %}<code>{{ media_type }}</code>
<code>{{ content.schema | short }}</code> {% endfor %}</td></tr>
{% endfor %}</table>
</details>
{% endfor %}{% endfor %}
<h2>Schemas</h2>
{% for name, schema in schemas.items() %}
<details id="schema-{{ name }}"><summary><code>{{ name }}</code> — {{ schema.description or "" }}</summary>
<pre>{{ schema | pretty }}</pre></details>
{% endfor %}
</body></html>
"""


def render_page(document: Json) -> str:
    """The page of an OpenAPI document."""
    tags: dict[str, list[Json]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tags.setdefault(operation["tags"][0], []).append(
                {"method": method.upper(), "path": path, **operation}
            )
    page: str = (
        _environment()
        .from_string(PAGE)
        .render(info=document["info"], tags=tags, schemas=document["components"]["schemas"], style=STYLE)
    )
    return page


@cache
def _environment() -> Any:
    from jinja2 import Environment

    environment = Environment(autoescape=True)
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False)
    environment.filters["short"] = _short
    return environment


def _short(schema: Json) -> str:
    """A reference by its name; anything else by its type."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    parts = schema.get("anyOf")
    return " or ".join(_short(part) for part in parts) if parts else str(schema.get("type", ""))
