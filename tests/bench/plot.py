"""Draws the comparison as SVG: one bar per server and case, CPU seconds per million items, on a logarithmic scale.

A drawing of its own instead of a plotting library, because the comparison needs nothing but Python.
"""

import math
from html import escape

WIDTH, LABEL, RIGHT, BAR, GAP = 860, 150, 90, 16, 5
COLOURS = {
    "floor-raw": "#b8bec7",
    "floor-scan": "#8b94a1",
    "homeostat": "#0b7a75",
    "rotel": "#c9853d",
    "collector": "#7a6bb0",
}
TITLES = {
    "receive": "Receive and forget",
    "sample": "Keep errors and a tenth of all traces, export those",
    "share": "Keep a tenth of all spans by trace id, export those",
    "forward": "Export everything",
}


def groups(rows):
    """Rows by what they have in common: (title, rows)."""
    found = {}
    for row in rows:
        found.setdefault((row["role"], row["load"]["name"]), []).append(row)
    return [(f"{TITLES[role]} — {load}", members) for (role, load), members in found.items()]


def draw(result):
    """The SVG document."""
    rows = [row for row in result["rows"] if row["cpu_s_per_million"]]
    values = [row["cpu_s_per_million"] for row in rows] or [1.0]
    low, high = math.log10(min(values)) - 0.15, math.log10(max(values)) + 0.02
    scale = (WIDTH - LABEL - RIGHT) / (high - low)
    parts, y = [], 58
    for title, members in groups(rows):
        parts.append(f'<text x="16" y="{y}" class="title">{escape(title)}</text>')
        y += 8
        for row in members:
            value = row["cpu_s_per_million"]
            length = (math.log10(value) - low) * scale
            middle = y + BAR - 4
            colour = COLOURS.get(row["server"], "#888888")
            parts.append(f'<text x="{LABEL - 8}" y="{middle}" class="name">{escape(row["server"])}</text>')
            parts.append(f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{colour}"/>')
            parts.append(f'<text x="{LABEL + length + 6:.1f}" y="{middle}" class="value">{value:.2f}</text>')
            y += BAR + GAP
        y += 24
    where = result["machine"]
    note = f"{where['processor']}, Linux {where['kernel']}; servers on one core unless said otherwise"
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 14}" viewBox="0 0 {WIDTH} {y + 14}">',
        "<style>text{font:12px system-ui,sans-serif;fill:#22272e}.title{font-weight:600}"
        ".name{text-anchor:end}.head{font-size:15px;font-weight:600}.note{fill:#66707d;font-size:11px}</style>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        '<text x="16" y="26" class="head">CPU seconds per million spans, records or data points</text>',
        '<text x="16" y="40" class="note">logarithmic; less is better; medians</text>',
    ]
    tail = [f'<text x="16" y="{y}" class="note">{escape(note)}</text>', "</svg>"]
    return "\n".join(head + parts + tail) + "\n"
