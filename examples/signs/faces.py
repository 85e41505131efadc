"""The faces of twelve traffic signs, which differ in their inner symbols: each outline belongs to three or more."""

import functools
from pathlib import Path

import matplotlib as mpl
from PIL import Image, ImageDraw, ImageFont

SIDE = 128  # of a face, pixels
FINE = 4  # a face is drawn with so many times its side, and averaged
HUNDREDTH = SIDE * FINE / 200  # of half a face, the unit of all lengths below, in pixels of the drawing
FONT = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
RED, BLUE, WHITE, BLACK = (190, 20, 30), (20, 70, 170), (240, 240, 240), (20, 20, 20)
LIMITS = ("30", "50", "60", "80")
# Degrees by which the arrow is turned from straight ahead, counter-clockwise.
ARROWS = {"ahead": 0, "left": 90, "right": -90, "half_left": 45, "half_right": -45}
WARNINGS = ("bend_left", "bend_right", "danger")
NAMES = sorted((*LIMITS, *ARROWS, *WARNINGS))

Points = list[tuple[float, float]]
ARROW: Points = [(-9, 50), (-9, 0), (-32, 0), (0, -50), (32, 0), (9, 0), (9, 50)]
TRIANGLE: Points = [(0, -97), (98, 78), (-98, 78)]
BEND: Points = [(8, 66), (8, 34), (-16, 10), (-16, -20)]


@functools.cache
def face(name: str) -> Image.Image:
    """The face of a sign, upright, (SIDE, SIDE) in RGBA: transparent outside of its outline.

    Args:
        name: one of NAMES.
    """
    image = Image.new("RGBA", (SIDE * FINE, SIDE * FINE))
    draw = ImageDraw.Draw(image)
    if name in LIMITS:
        _disc(draw, 98, RED)
        _disc(draw, 74, WHITE)
        _text(draw, name, 80, 0)
    elif name in ARROWS:
        _disc(draw, 98, WHITE)
        _disc(draw, 92, BLUE)
        draw.polygon(_pixels(ARROW, ARROWS[name]), fill=WHITE)
    else:
        draw.polygon(_pixels(TRIANGLE), fill=RED)
        draw.polygon(_pixels([(0.68 * x, 0.68 * y + 6) for x, y in TRIANGLE]), fill=WHITE)
        if name == "danger":
            _text(draw, "!", 96, 20)
        else:
            side = 1 if name == "bend_left" else -1
            bend = _pixels([(side * x, y) for x, y in BEND])
            draw.line(bend, fill=BLACK, width=round(18 * HUNDREDTH), joint="curve")
    return image.resize((SIDE, SIDE), Image.Resampling.BOX)


def _pixels(points: Points, degrees: float = 0.0) -> Points:
    """Points about the middle, x to the right and y down, turned counter-clockwise, as pixels of the drawing."""
    turned = [complex(*point) * 1j ** (-degrees / 90) for point in points]
    return [((100 + z.real) * HUNDREDTH, (100 + z.imag) * HUNDREDTH) for z in turned]


def _disc(draw: ImageDraw.ImageDraw, radius: float, color: tuple[int, int, int]) -> None:
    draw.ellipse(_pixels([(-radius, -radius), (radius, radius)]), fill=color)


def _text(draw: ImageDraw.ImageDraw, text: str, height: float, down: float) -> None:
    """Write a text of a height, with its middle so far below that of the face."""
    font = ImageFont.truetype(str(FONT), round(height * HUNDREDTH))
    draw.text(_pixels([(0, down)])[0], text, fill=BLACK, font=font, anchor="mm")
