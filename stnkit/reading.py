"""Reading: what a dataset takes its images from, folders of image files or files of arrays, and its division.

The built-in datasets `folder` and `arrays` are made of these, and a plugin for another kind of data may be.
"""

from stnkit.files.arrays import ArrayLayout, channels_first, check_copy_fits, check_row_order, has_names, read_array
from stnkit.packing import Decoding, Fit, ImageFolder, cache_folder, find_images, find_layout, read_image
from stnkit.shares import SPLITS, Shares, checked_shares, splits_of_indices

__all__ = [
    "SPLITS",
    "ArrayLayout",
    "Decoding",
    "Fit",
    "ImageFolder",
    "Shares",
    "cache_folder",
    "channels_first",
    "check_copy_fits",
    "check_row_order",
    "checked_shares",
    "find_images",
    "find_layout",
    "has_names",
    "read_array",
    "read_image",
    "splits_of_indices",
]
