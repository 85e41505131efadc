"""Images of a small traffic sign under perspective, on a piece of a photograph and among clutter."""

from dataclasses import dataclass

import numpy as np
from faces import BLACK, BLUE, NAMES, RED, SIDE, WHITE, face
from PIL import Image, ImageDraw, ImageFilter

SIZE = 96  # of an image, pixels
FINE = 3  # an image is drawn with so many times its side, and averaged
CANVAS = SIZE * FINE
SIGN = (18, 30)  # side of a sign, pixels
PIECE = (6, 14)  # side of a piece of another sign, pixels
PIECES = (6, 13)  # number of pieces of clutter, the last one excluded
TURN = 15  # largest rotation to either side, degrees
MOVE = 0.12  # largest move of a corner along each axis, in sides
SQUARE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])


@dataclass(frozen=True)
class Painter:
    """A maker of images.

    Args:
        photographs: of the backgrounds.
        columns: the part of each photograph that it uses, as shares of the width.
        draws: all that is random.
    """

    photographs: list[Image.Image]
    columns: tuple[float, float]
    draws: np.random.Generator

    def scene(self, name: str) -> tuple[Image.Image, np.ndarray]:
        """An image (SIZE, SIZE) of one whole sign in front of pieces of others, and the corners of the sign.

        The corners (4, 2) are those of the square around the face, (x, y) in pixels from the outer edges of the image:
        top left, top right, bottom right, bottom left.

        Args:
            name: of the sign, one of NAMES.
        """
        image = self.background()
        for _ in range(self.draws.integers(*PIECES)):
            if self.draws.random() < 0.5:
                self.paste(image, self._piece(), self.draws.uniform(*PIECE))
            else:
                self._shape(image)
        corners = self.paste(image, face(name), self.draws.uniform(*SIGN), inside=True)
        return self._taken(image), corners / FINE

    def background(self) -> Image.Image:
        """A square piece of a photograph, enlarged to the canvas."""
        photograph = self.photographs[self.draws.integers(len(self.photographs))]
        side = self.draws.uniform(0.18, 0.28) * photograph.height
        low, high = (share * photograph.width for share in self.columns)
        left, top = self.draws.uniform(low, high - side), self.draws.uniform(0, photograph.height - side)
        box = (left, top, left + side, top + side)
        return photograph.resize((CANVAS, CANVAS), Image.Resampling.BICUBIC, box)

    def _piece(self) -> Image.Image:
        """A part of a random sign whose sides are a quarter to a half of it."""
        left, top = self.draws.integers(SIDE // 8, SIDE // 2, 2)
        width, height = self.draws.integers(SIDE // 4, SIDE // 2, 2)
        return face(NAMES[self.draws.integers(len(NAMES))]).crop((left, top, left + width, top + height))

    def _shape(self, image: Image.Image) -> None:
        """Draw a disc, a triangle or a bar in a color of the signs."""
        center, radius = self.draws.uniform(0, CANVAS, 2), self.draws.uniform(3, 10) * FINE
        color = (RED, BLUE, WHITE, BLACK)[self.draws.integers(4)]
        offsets = self.draws.uniform(-radius, radius, (3, 2))
        draw = ImageDraw.Draw(image)
        match self.draws.integers(3):
            case 0:
                draw.ellipse((*(center - radius), *(center + radius)), fill=color)
            case 1:
                draw.polygon([*map(tuple, center + offsets)], fill=color)
            case _:
                ends = [*map(tuple, center + 3 * offsets[:2])]
                draw.line(ends, fill=color, width=int(self.draws.uniform(1, 4) * FINE))

    def paste(self, image: Image.Image, flat: Image.Image, side: float, inside: bool = False) -> np.ndarray:
        """Paste a flat picture under a random perspective and light; its corners (4, 2) on the canvas.

        Args:
            image: the canvas, which changes.
            flat: the picture, in RGBA.
            side: of its longer edges before the perspective, in pixels of the image.
            inside: True for a place at which all corners are on the canvas.
        """
        angle = np.radians(self.draws.uniform(-TURN, TURN))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        shape = SQUARE * flat.size / max(flat.size) + self.draws.uniform(-MOVE, MOVE, (4, 2))
        corners = shape @ turn * side * FINE
        low, high = (-corners.min(axis=0), CANVAS - corners.max(axis=0)) if inside else (0, CANVAS)
        corners += self.draws.uniform(low, high, 2)
        # Only the pixels of its bounding box are computed, not those of the canvas.
        low, high = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int)
        coefficients = homography(corners - low, (SQUARE + 0.5) * flat.size)
        size = tuple(high - low)
        warped = flat.transform(size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)
        light = self.draws.uniform(0.6, 1.1)
        colors = warped.convert("RGB").point(lambda value: value * light)
        image.paste(colors, tuple(low), warped.getchannel("A"))
        return corners

    def _taken(self, image: Image.Image) -> Image.Image:
        """The canvas at the size of the image, with blur, a shade across it and the noise of a sensor."""
        image = image.filter(ImageFilter.GaussianBlur(self.draws.uniform(0, 0.7) * FINE)).reduce(FINE)
        y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
        across, down = self.draws.uniform(-0.25, 0.25, 2)
        shade = self.draws.uniform(0.6, 1.2) + across * x + down * y
        noise = self.draws.normal(0, self.draws.uniform(0, 12), (SIZE, SIZE, 3))
        return Image.fromarray((np.asarray(image) * shade[..., None] + noise).clip(0, 255).astype(np.uint8))


def homography(source: np.ndarray, target: np.ndarray) -> list[float]:
    """Coefficients a … h of (ax + by + c, dx + ey + f) / (gx + hy + 1), in the order of Pillow.

    Args:
        source: four points (x, y), shape (4, 2).
        target: their images.
    """
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return list(np.linalg.solve(np.array(rows), target.ravel()))
