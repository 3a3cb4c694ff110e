"""Small line plots as SVG text: no library, the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT, _LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT = 560, 360, 60, 40, 300, 260
_COLOURS = ("#1f5fa8", "#c0392b", "#2e8b57", "#8e6bb0", "#d08b1d", "#555555")


@dataclass(frozen=True, slots=True)
class Series:
    """Points in order, drawn as a line; `dots` marks each of them."""

    name: str
    points: Sequence[tuple[float, float]]
    dots: bool = True
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Axes:
    """What the axes are called and what they span."""

    across: str
    up: str
    x: tuple[float, float] = (0.0, 1.0)
    y: tuple[float, float] = (0.0, 1.0)
    steps: int = 5


def plot(title: str, axes: Axes, series: Sequence[Series]) -> str:
    """One plot with a legend at its right."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="11">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="22" font-size="14">{escape(title)}</text>',
        *_grid(axes),
    ]
    for at, each in enumerate(series):
        parts += _line(each, axes, _COLOURS[at % len(_COLOURS)])
        parts += _legend(each, at, _COLOURS[at % len(_COLOURS)])
    return "\n".join([*parts, "</svg>", ""])


def _grid(axes: Axes) -> list[str]:
    found = []
    for step in range(axes.steps + 1):
        share = step / axes.steps
        x, y = _LEFT + share * _PLOT_WIDTH, _TOP + (1 - share) * _PLOT_HEIGHT
        bottom, right = _TOP + _PLOT_HEIGHT, _LEFT + _PLOT_WIDTH
        found += [
            f'<path d="M{x:.1f} {_TOP}V{bottom}M{_LEFT} {y:.1f}H{right}" stroke="#ddd"/>',
            f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{_number(_between(axes.x, share))}</text>',
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(_between(axes.y, share))}</text>',
        ]
    middle = _TOP + _PLOT_HEIGHT / 2
    return [
        *found,
        f'<text x="{_LEFT + _PLOT_WIDTH / 2}" y="{_HEIGHT - 18}" text-anchor="middle">{escape(axes.across)}</text>',
        f'<text x="16" y="{middle}" text-anchor="middle" transform="rotate(-90 16 {middle})">{escape(axes.up)}</text>',
    ]


def _line(series: Series, axes: Axes, colour: str) -> list[str]:
    points = [
        (_place(x, axes.x, _LEFT, _PLOT_WIDTH), _place(y, axes.y, _TOP + _PLOT_HEIGHT, -_PLOT_HEIGHT))
        for x, y in series.points
    ]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="4 3"' if series.dashed else ""
    drawn = [f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>'] if points else []
    return drawn + [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points if series.dots]


def _legend(series: Series, at: int, colour: str) -> list[str]:
    x, y = _LEFT + _PLOT_WIDTH + 16, _TOP + 10 + at * 18
    return [
        f'<path d="M{x} {y - 4}h16" stroke="{colour}" stroke-width="2"/>',
        f'<text x="{x + 22}" y="{y}">{escape(series.name)}</text>',
    ]


def _place(value: float, span: tuple[float, float], start: float, length: float) -> float:
    share = (value - span[0]) / (span[1] - span[0])
    return start + min(max(share, 0.0), 1.0) * length


def _between(span: tuple[float, float], share: float) -> float:
    return span[0] + share * (span[1] - span[0])


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"
