#!/usr/bin/env bash
# Pillow: a TIFF whose 0 is white is inverted with 8 bits, and is a negative with 16 bits or floating-point numbers.
#
# Expected: the photometric interpretation of a TIFF is the decoder's affair, as its byte order and compression are: with
#   WhiteIsZero (tag 262 is 0) stored zeros are white, whatever the number of bits.
# Happens: of 8 bits zeros become 255. Of 16 bits and of floats they stay 0, without a warning: black where white is stored.
#   Only `image.tag_v2[262]` tells. A program that scales 16-bit images trains on negatives of some scanners' files.
# Seen with Python 3.11.7, Pillow 13.0.0, a hand-made TIFF that stores 0 and the largest value:
#   8 bits, L: [255, 0]
#   16 bits, I;16: [0, 65535]
#   32 bits, F: [0.0, 1.0]
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet pillow==13.0.0; } || exit 2
venv/bin/python - <<'PY'
import io
import struct
import sys

from PIL import Image


def tiff(bits, sample_format, pixels):
    # Width, height, bits, no compression, WhiteIsZero, offset of the strip, samples, rows, bytes, format: 1 integer, 3 float.
    values = {256: 2, 257: 1, 258: bits, 259: 1, 262: 0, 273: 0, 277: 1, 278: 1, 279: len(pixels), 339: sample_format}
    values[273] = 8 + 2 + 12 * len(values) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4 if tag in (273, 279) else 3, 1, value) for tag, value in values.items())
    return struct.pack("<2sHIH", b"II", 42, 8, len(values)) + entries + struct.pack("<I", 0) + pixels


seen = {}
for bits, sample_format, pixels in (
    (8, 1, b"\x00\xff"),
    (16, 1, struct.pack("<2H", 0, 65_535)),
    (32, 3, struct.pack("<2f", 0, 1)),
):
    with Image.open(io.BytesIO(tiff(bits, sample_format, pixels))) as image:
        seen[bits] = [image.getpixel((0, 0)), image.getpixel((1, 0))]
        print(f"{bits} bits, {image.mode}: {seen[bits]}")
sys.exit(seen != {8: [255, 0], 16: [0, 65_535], 32: [0.0, 1.0]})
PY
