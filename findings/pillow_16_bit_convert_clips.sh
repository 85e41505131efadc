#!/usr/bin/env bash
# Pillow: `convert` of a 16-bit gray image to 8 bits or RGB makes almost all of it white.
#
# Expected: `image.convert("L")` or `convert("RGB")` scales 0 ... 65535 to 0 ... 255, as for a 16-bit RGB image, which is
#   opened as 8-bit RGB with its high bytes.
# Happens: values are clipped at 255: everything from 1/257 of full white on is white. No error, no warning. A PGM of 10
#   bits has other values than its file (Pillow scales it to 16 bits), and is clipped all the same.
# Seen with Python 3.11.7, Pillow 13.0.0:
#   16-bit gray PNG, I;16: [0, 1000, 40000, 65535] -> L [0, 255, 255, 255], RGB [0, 255, 255, 255]
#   10-bit PGM, I: [0, 15, 625, 1023] opened as [0, 961, 40038, 65535] -> L [0, 255, 255, 255]
#   16-bit RGB PNG, RGB: [0, 1000, 40000, 65535] -> [0, 3, 156, 255]
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet pillow==13.0.0; } || exit 2
venv/bin/python - <<'PY'
import struct
import sys
import zlib

from PIL import Image

VALUES = [0, 1000, 40000, 65535]


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def write_png(name, color_type, samples):
    header = struct.pack(">IIBBBBB", 4, 1, 16, color_type, 0, 0, 0)
    row = zlib.compress(b"\0" + struct.pack(f">{len(samples)}H", *samples))
    with open(name, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", row) + chunk(b"IEND", b""))


def values(image):
    """The first band of the row."""
    return [image.getpixel((x, 0)) if len(image.getbands()) == 1 else image.getpixel((x, 0))[0] for x in range(4)]


write_png("gray.png", 0, VALUES)
write_png("rgb.png", 2, [value for value in VALUES for _ in range(3)])
ten_bits = [0, 15, 625, 1023]
with open("gray.pgm", "wb") as file:
    file.write(b"P5 4 1 1023\n" + struct.pack(">4H", *ten_bits))
gray, rgb, pgm = (Image.open(name) for name in ("gray.png", "rgb.png", "gray.pgm"))
as_l, as_rgb, opened, pgm_l = values(gray.convert("L")), values(gray.convert("RGB")), values(pgm), values(pgm.convert("L"))
print(f"16-bit gray PNG, {gray.mode}: {values(gray)} -> L {as_l}, RGB {as_rgb}")
print(f"10-bit PGM, {pgm.mode}: {ten_bits} opened as {opened} -> L {pgm_l}")
print(f"16-bit RGB PNG, {rgb.mode}: {VALUES} -> {values(rgb)}")
clipped = [0, 255, 255, 255]
seen = (as_l, as_rgb, opened, pgm_l, values(rgb))
sys.exit(seen != (clipped, clipped, [0, 961, 40038, 65535], clipped, [0, 3, 156, 255]))
PY
