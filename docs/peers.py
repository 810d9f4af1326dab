"""Draws docs/peers.svg, the picture of the README, from the table of peers in docs/measurements.md.

Run it in the top directory: python3 docs/peers.py
"""

import re

PANELS = [
    ("mlp32", "Multi-layer perceptron", "784-64-64-10, batch 32, 55,050 parameters"),
    ("lenet64", "LeNet-5", "convolutions and poolings, batch 64"),
]
THREADS = 1
OURS = "chainrule"

# Colours that can be read on white and on dark grey.
TEXT, FAINT, OURS_BAR, PEER_BAR = "#6e7b8a", "#6e7b8a", "#d9762b", "#8b949e"

document = open("docs/measurements.md", encoding="utf-8").read()
table = re.search(r"<!-- peers -->(.*)<!-- end of peers -->", document, re.S).group(1)
rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines() if line.startswith("|")]
heading = rows[0]


def seconds(workload):
    """The median seconds of an epoch for each framework, the fastest first."""
    row = next(row for row in rows if row[0] == f"`{workload}`, {THREADS}")
    frameworks = zip(heading[1:-1], row[1:-1])
    return sorted((float(cell.split(" s")[0]), name) for name, cell in frameworks if cell)


left, bar, width, top = 150, 22, 860, 64
panel = (width - 40) // 2
height = top + 6 * (bar + 10) + 36
svg = [
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
    'role="img" font-family="-apple-system, Segoe UI, Helvetica, Arial, sans-serif">',
    "<title>Seconds for one epoch of MNIST on one thread, chainrule and other frameworks</title>",
]
for number, (workload, title, detail) in enumerate(PANELS):
    x = number * (panel + 40)
    svg.append(f'<text x="{x}" y="20" font-size="16" font-weight="600" fill="{TEXT}">{title}</text>')
    svg.append(f'<text x="{x}" y="40" font-size="12" fill="{FAINT}">{detail}</text>')
    results = seconds(workload)
    longest = max(time for time, _ in results)
    for place, (time, name) in enumerate(results):
        y = top + place * (bar + 10)
        ours = name == OURS
        length = max(2, time / longest * (panel - left - 60))
        weight = ' font-weight="700"' if ours else ""
        colour = OURS_BAR if ours else TEXT
        svg.append(f'<text x="{x + left - 10}" y="{y + 16}" font-size="13" text-anchor="end" fill="{colour}"{weight}>{name}</text>')
        svg.append(f'<rect x="{x + left}" y="{y}" width="{length:.1f}" height="{bar}" rx="3" fill="{OURS_BAR if ours else PEER_BAR}"/>')
        svg.append(f'<text x="{x + left + length + 8:.1f}" y="{y + 16}" font-size="13" fill="{colour}"{weight}>{time:.2f} s</text>')
svg.append(f'<text x="0" y="{height - 10}" font-size="12" fill="{FAINT}">Seconds for one epoch of MNIST (60,000 images) on one thread of an AMD EPYC with AVX-512; shorter is better.</text>')
svg.append("</svg>")
open("docs/peers.svg", "w", encoding="utf-8").write("\n".join(svg) + "\n")
