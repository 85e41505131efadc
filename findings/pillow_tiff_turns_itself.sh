#!/usr/bin/env bash
# Pillow: of one picture with one EXIF orientation, a TIFF is turned by `load`, and a JPEG or PNG is not.
#
# Expected: `Image.open` gives the stored pixels and the orientation in `getexif()`, and turning them is up to the caller.
#   A tool that reads the sizes of files, and turns those whose orientation says so, finds all of them.
# Happens: for a TIFF `size` is that of the upright picture before anything is loaded, `getexif()` has the orientation
#   before `load` and has lost it afterwards, and the pixels are upright. Code that asks for the orientation first and turns
#   later turns a TIFF twice, and code that swaps the sides by the orientation is wrong for it.
# Seen with Python 3.11.7, Pillow 13.0.0, a picture that is stored 3 wide and 2 high, with orientation 6:
#   png: size (3, 2), orientation 6; loaded: size (3, 2), orientation 6
#   jpg: size (3, 2), orientation 6; loaded: size (3, 2), orientation 6
#   tiff: size (2, 3), orientation 6; loaded: size (2, 3), orientation None
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet pillow==13.0.0; } || exit 2
venv/bin/python - <<'PY'
import sys

from PIL import Image

ORIENTATION = 0x0112
picture = Image.new("RGB", (3, 2))
exif = picture.getexif()
exif[ORIENTATION] = 6
seen = {}
for ending in ("png", "jpg", "tiff"):
    picture.save(f"picture.{ending}", exif=exif)
    with Image.open(f"picture.{ending}") as image:
        before = image.size, image.getexif().get(ORIENTATION)
        image.load()
        after = image.size, image.getexif().get(ORIENTATION)
    print("{}: size {}, orientation {}; loaded: size {}, orientation {}".format(ending, *before, *after))
    seen[ending] = (*before, *after)
stored = ((3, 2), 6, (3, 2), 6)
sys.exit(seen != {"png": stored, "jpg": stored, "tiff": ((2, 3), 6, (2, 3), None)})
PY
