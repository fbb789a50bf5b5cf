"""Draw the pictures of how_it_works.rst and architecture.rst: python docs/draw_pictures.py.

They are put into the pages as they are, so that their colors are those of the theme, light or dark.
"""

import re
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "_pictures"
TABLE = Path(__file__).parents[1] / "tests" / "integration" / "test_layout.py"
TEXT, MUTED = "var(--pst-color-text-base, #222832)", "var(--pst-color-text-muted, #48566b)"
BORDER, PLAIN = "var(--pst-color-border, #c9c9c9)", "var(--pst-color-surface, #f3f4f5)"
STRONG = "var(--pst-color-primary, #0a7d91)"
CELL = 26


class Picture:
    """SVG elements, one after the other."""

    def __init__(self, width, height, title):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="{title}" style="width: 100%; max-width: {width}px; height: auto; '
            'margin: 0.5rem 0 1rem; font-family: var(--pst-font-family-base, sans-serif)">',
            f"<title>{title}</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto">'
            f'<path d="M0 0 L8 4 L0 8 z" fill="{STRONG}"/></marker></defs>',
        ]

    def text(self, x, y, words, *, size=14, color=TEXT, anchor="start", bold=False):
        weight = ' font-weight="600"' if bold else ""
        self.parts.append(
            f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}"{weight} '
            f'fill="{color}">{words}</text>'
        )

    def box(self, x, y, width, height, *, color=BORDER, fill=PLAIN, opacity=1.0):
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3" fill="{fill}" '
            f'fill-opacity="{opacity}" stroke="{color}"/>'
        )

    def cell(self, x, y, width, words, *, strong=False, height=CELL):
        """Draw a box with words in it."""
        color = STRONG if strong else BORDER
        fill, opacity = (STRONG, 0.25) if strong else (PLAIN, 1)
        self.box(x, y, width, height, color=color, fill=fill, opacity=opacity)
        self.text(x + width / 2, y + height / 2 + 5, words, size=13, anchor="middle")

    def arrow(self, x1, y1, x2, y2):
        bend = (x1 + x2) / 2
        self.parts.append(
            f'<path d="M{x1} {y1} C{bend} {y1} {bend} {y2} {x2} {y2}" fill="none" stroke="{STRONG}" '
            'stroke-width="1.5" marker-end="url(#tip)"/>'
        )

    def heading(self, x, number, words, more=""):
        self.text(x, 20, f"{number}. {words}", bold=True)
        self.text(x, 39, more, size=13, color=MUTED)

    def svg(self):
        return "\n".join([*self.parts, "</svg>"]) + "\n"


def chips(picture, x, y, tokens, strong=()):
    """Draw a text, token after token."""
    for i, token in enumerate(tokens):
        picture.cell(x, y, 42, token, strong=i in strong)
        x += 46


def draw_convolution():
    """Two texts, the table of their distinct tokens, and a window as a sum of its rows."""
    texts = [["the", "cat", "saw", "the", "dog"], ["the", "dog", "ran"]]
    distinct = list(dict.fromkeys(token for text in texts for token in text))
    window, n_slices = (1, 2, 3), 3
    title = "A window of three tokens is the sum of three looked-up rows of one small product"
    picture = Picture(930, 262, title)
    picture.heading(0, 1, "A batch of texts", "eight tokens, five of them distinct")
    for i, text in enumerate(texts):
        chips(picture, 0, 62 + 40 * i, text, window if i == 0 else ())
    picture.text(0, 152, "marked: a window of three tokens", size=13, color=MUTED)

    x, y, wide = 352, 80, 62
    picture.heading(
        285, 2, "Each distinct token times each slice", "one product, however often a token occurs"
    )
    for j in range(n_slices):
        picture.text(
            x + j * (wide + 4) + wide / 2, y - 9, f"slice {j}", size=13, color=MUTED, anchor="middle"
        )
    marked = {(texts[0][t], j): j for j, t in enumerate(window)}
    right, wide_sum = 700, 90
    for (token, j), row in marked.items():  # arrows first, so that cells cover them
        start = y + distinct.index(token) * (CELL + 4) + CELL / 2
        end = y + row * (CELL + 12) + CELL / 2
        picture.arrow(x + j * (wide + 4) + wide + 1, start, right - 3, end)
    for i, token in enumerate(distinct):
        top = y + i * (CELL + 4)
        picture.text(x - 12, top + 18, token, size=13, anchor="end")
        for j in range(n_slices):
            product, strong = f"{token} · K{'₀₁₂'[j]}", (token, j) in marked
            picture.cell(x + j * (wide + 4), top, wide, product, strong=strong)
    picture.text(
        x, y + 5 * (CELL + 4) + 16, "each cell: one number for every filter", size=13, color=MUTED
    )

    picture.heading(right - 60, 3, "A window is a sum of rows", "then the largest window of each filter")
    for (token, j), row in marked.items():
        top = y + row * (CELL + 12)
        picture.cell(right, top, wide_sum, f"{token} · K{'₀₁₂'[j]}", strong=True)
        if row:
            picture.text(right - 16, top + 4, "+", size=17, anchor="middle")
    bottom = y + 3 * (CELL + 12)
    picture.parts.append(
        f'<line x1="{right - 26}" y1="{bottom}" x2="{right + wide_sum}" y2="{bottom}" stroke="{TEXT}"/>'
    )
    picture.text(right, bottom + 22, "response of all filters", size=13)
    picture.text(right, bottom + 40, "at “cat saw the”", size=13)
    return picture


def draw_gradient():
    """Responses with a winner for each filter, and the few entries of the table that they touch."""
    text, n_slices = ["the", "cat", "saw", "the", "dog", "ran"], 3
    distinct = list(dict.fromkeys(text))
    filters = {
        "A": [0.1, 0.9, 0.2, 0.3],
        "B": [0.4, 0.1, 0.0, 0.7],
        "C": [0.8, 0.3, 0.2, 0.1],
        "D": [0.2, 0.6, 0.5, 0.1],
    }
    winners = {name: responses.index(max(responses)) for name, responses in filters.items()}
    touched = {(text[t + j], j, name): None for name, t in winners.items() for j in range(n_slices)}
    title = (
        "Only the winning window of each filter gets a gradient, so few entries of the table are touched"
    )
    picture = Picture(900, 300, title)
    picture.heading(0, 1, "Responses of four filters", "to the four windows of one text")
    x, y, wide = 66, 108, 64
    for t in range(len(text) - n_slices + 1):
        for j in range(n_slices):
            left = x + t * (wide + 4) + wide / 2
            picture.text(left, y - 42 + 15 * j, text[t + j], size=12, color=MUTED, anchor="middle")
    for i, (name, responses) in enumerate(filters.items()):
        top = y + i * (CELL + 4)
        picture.text(x - 10, top + 18, f"filter {name}", size=13, anchor="end")
        for t, response in enumerate(responses):
            picture.cell(x + t * (wide + 4), top, wide, f"{response:.1f}", strong=t == winners[name])
    picture.text(
        0, y + 4 * (CELL + 4) + 22, "The largest of a row is the feature: no other", size=13, color=MUTED
    )
    picture.text(0, y + 4 * (CELL + 4) + 40, "window of that row moves the loss.", size=13, color=MUTED)

    x, wide, small = 500, 112, 24
    picture.heading(440, 2, "What gets a gradient", "distinct tokens times slices, one square a filter")
    for j in range(n_slices):
        picture.text(
            x + j * (wide + 14) + wide / 2, y - 26, f"slice {j}", size=13, color=MUTED, anchor="middle"
        )
        for f, name in enumerate(filters):
            left = x + j * (wide + 14) + f * (small + 4) + small / 2
            picture.text(left, y - 8, name, size=12, color=MUTED, anchor="middle")
    for i, token in enumerate(distinct):
        top = y + i * (small + 5)
        picture.text(x - 12, top + 17, token, size=13, anchor="end")
        for j in range(n_slices):
            for f, name in enumerate(filters):
                strong = (token, j, name) in touched
                color = STRONG if strong else BORDER
                fill, opacity = (STRONG, 0.45) if strong else (PLAIN, 1)
                left = x + j * (wide + 14) + f * (small + 4)
                picture.box(left, top, small, small, color=color, fill=fill, opacity=opacity)
    bottom = y + len(distinct) * (small + 5)
    n_all = len(distinct) * n_slices * len(filters)
    picture.text(
        440,
        bottom + 22,
        f"{len(touched)} of {n_all} entries: 4 filters times 3 slices,",
        size=13,
        color=MUTED,
    )
    picture.text(440, bottom + 40, "however long the text is.", size=13, color=MUTED)
    return picture


def read_layers(source, modules):
    """Return the modules under each comment of the table in the test of the layout.

    The comments are the names of the layers, and the order of the table is that of the layers. The
    module of a package itself is left out: it holds nothing.
    """
    table = source.partition("\nMODULES = {\n")[2].partition("\n}\n")[0]
    layers = {}
    for comment, name in re.findall(r'^    (?:# (.+)|"([\w.]+)": .+)$', table, flags=re.MULTILINE):
        if comment:
            layers[comment] = []
        elif not any(other.startswith(f"{name}.") for other in modules):
            [*layers.values()][-1].append(name)
    return {layer: names for layer, names in layers.items() if names}


def draw_layers(source, modules, marked):
    """Draw the layers of modules, and who imports whom."""
    layers = read_layers(source, modules)
    layer_of = {name: layer for layer, names in layers.items() for name in names}
    right, gap, line, step = 640, 14, 32, 26
    rows, y = {}, 70  # of each layer: its top, and its lines of (left, width, module)
    for layer, names in layers.items():
        lines = [[]]
        left = 14
        for name in names:
            width = 16 + 7 * len(name)
            if left + width > right - 8:
                lines.append([])
                left = 14
            lines[-1].append((left, width, name))
            left += width + 8
        rows[layer] = (y, lines)
        y += 34 + line * len(lines) + gap
    title = "The layers of modules: each imports from those above it, and from no other"
    edge = right + 30 + step * (len(layers) - 1)
    picture = Picture(edge, y, title)
    picture.text(0, 20, "Modules, in an order in which one can read them", bold=True)
    picture.text(0, 39, "colored: import TensorFlow", size=13, color=MUTED)
    picture.text(edge, 20, "Who imports whom", bold=True, anchor="end")
    picture.text(
        edge, 39, "a dot: the layer at its left imports the tip", size=13, color=MUTED, anchor="end"
    )
    for layer, (top, lines) in rows.items():
        picture.box(0, top, right, 34 + line * len(lines), opacity=0.5)
        picture.text(14, top + 21, layer.replace("`", ""), size=13, bold=True)
        for i, cells in enumerate(lines):
            for left, width, name in cells:
                words = name.replace(".", "/")
                picture.cell(left, top + 32 + line * i, width, words, strong=name in marked)
    imported = {
        layer: [
            other
            for other in layers
            if other != layer
            and any(layer_of.get(used) == other for name in layers[layer] for used in modules[name])
        ]
        for layer in layers
    }
    for i, layer in enumerate(layers):
        x, start = right + 26 + step * (len(layers) - 2 - i), rows[layer][0] + 17
        ends = []
        for user, used in imported.items():
            if layer in used:
                top, lines = rows[user]
                ends.append(top + 27 + used.index(layer) * min(9, line * len(lines) / len(used)))
        if not ends:
            continue
        picture.parts.append(
            f'<path d="M{x} {max(ends):.4g} V{start} H{right + 3}" fill="none" stroke="{STRONG}" '
            'stroke-width="1.5" marker-end="url(#tip)"/>'
        )
        for end in ends:
            picture.parts.append(
                f'<path d="M{right} {end:.4g} H{x}" fill="none" stroke="{STRONG}" stroke-width="1.5"/>'
                f'<circle cx="{x}" cy="{end:.4g}" r="3.5" fill="{STRONG}"/>'
            )
    return picture


def layers_of_this_package():
    """Return the picture that the table asks for, as it is now."""
    sys.path.insert(0, str(TABLE.parents[2]))
    from tests.integration.test_layout import MODULES, USE_KERAS

    return draw_layers(TABLE.read_text("utf-8"), MODULES, USE_KERAS)


DRAW = {
    "distinct_tokens.svg": draw_convolution,
    "sparse_gradient.svg": draw_gradient,
    "layers.svg": layers_of_this_package,
}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, draw in DRAW.items():
        (FOLDER / name).write_text(draw().svg(), encoding="utf-8", newline="\n")
