"""Packing: folders of image files, decoded once into one file and mapped into memory from then on.

A plugin for another kind of data packs its files with these: the layout of a folder, the way to decode a file, and
`ImageFolder`, which gives the splits.
"""

from stnkit.packing.cache_folder import cache_folder
from stnkit.packing.decoding import Decoding
from stnkit.packing.fitting import Fit
from stnkit.packing.image_folder import ImageFolder
from stnkit.packing.layout import find_layout
from stnkit.packing.loose_images import find_images, read_image

__all__ = ["Decoding", "Fit", "ImageFolder", "cache_folder", "find_images", "find_layout", "read_image"]
