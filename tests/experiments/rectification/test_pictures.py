"""Image files are read with all of their bits and written with what they had, or refused."""

import io
import math
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin, TiffTags

from stnkit.experiments.rectification.deep_png import encode_deep
from stnkit.experiments.rectification.pictures import read_picture
from stnkit.experiments.rectification.view import View
from stnkit.packing.pixels import UndecodableError

VIEW = View((3, 20, 20), background=(255, 255, 255))
N_VALUES = 20 * 20
DEEP = (np.arange(N_VALUES * 3) * 151 % 65_536).astype(np.uint16).reshape(20, 20, 3)


def read(path):
    return read_picture(path, VIEW.of_picture)


def written_again(path):
    """The file that the picture of another one writes, as Pillow opens it."""
    picture, _ = read(path)
    made = path.with_name(f"made.{path.name}{picture.ending}")
    picture.write(picture.planes, made)
    return Image.open(made)


def with_chunk(png, name, content):
    """The bytes of a PNG with another chunk behind its first one."""
    chunk = io.BytesIO()
    PngImagePlugin.putchunk(chunk, name, content)
    return png[:33] + chunk.getvalue() + png[33:]


def jpeg_2000_of_16_bits():
    """The bytes of a JPEG 2000 in RGB whose header says 16 bits."""
    file = io.BytesIO()
    Image.fromarray((DEEP >> 8).astype(np.uint8)).save(file, format="JPEG2000")
    data = bytearray(file.getvalue())
    data[data.index(b"\xff\x4f\xff\x51") + 42] = 15
    return bytes(data)


def sgi_of_16_bits():
    file = io.BytesIO()
    Image.new("L", (20, 20)).save(file, format="SGI", bpc=2)
    return file.getvalue()


@pytest.mark.parametrize("low", [0, 1])
def test_a_transparent_color_of_16_bits_becomes_alpha(low, tmp_path):
    given = np.full((20, 20, 3), 30_000 + low, np.uint16)
    given[:10] = 30_000  # the high bytes are those of the other half
    path = tmp_path / "a.png"
    path.write_bytes(with_chunk(encode_deep(given), b"tRNS", struct.pack(">3H", *[30_000] * 3)))
    picture, (view, _) = read(path)
    opaque = (given != 30_000).any(axis=-1)
    assert (picture.mode, picture.alpha) == ("RGBA", True)
    np.testing.assert_array_equal(picture.pixels, np.dstack([given, np.where(opaque, 65_535, 0)]))
    assert ((view[0] < 0.9).numpy() == opaque).all()
    picture.write(picture.planes, tmp_path / "b.png")
    np.testing.assert_array_equal(read(tmp_path / "b.png")[0].pixels, picture.pixels)


def test_a_transparent_gray_of_16_bits_is_refused(tmp_path):
    Image.fromarray(DEEP[..., 0].copy()).save(tmp_path / "a.png", transparency=1000)
    with pytest.raises(UndecodableError, match="expected gray of 16 bits without alpha, got a PNG with a transparent"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("largest", [65_535, 1023])
def test_a_netpbm_gray_of_16_bits_becomes_a_png_of_16(largest, tmp_path):
    given = np.arange(N_VALUES).reshape(20, 20)
    (tmp_path / "a.pgm").write_bytes(b"P5 20 20 %d\n" % largest + given.astype(">u2").tobytes())
    with written_again(tmp_path / "a.pgm") as image:
        assert (image.format, image.mode) == ("PNG", "I;16")
        assert np.abs(np.asarray(image) - given * (65_535 / largest)).max() <= 0.5


def test_signed_gray_of_16_bits_stays_one_of_16(tmp_path):
    Image.fromarray(DEEP[..., 0] // 2).save(tmp_path / "a.tif", tiffinfo={339: 2})
    with Image.open(tmp_path / "a.tif") as image:
        assert image.mode == "I"  # as Pillow opens it, in 32 bits
    with written_again(tmp_path / "a.tif") as image:
        assert (image.format, image.mode) == ("TIFF", "I;16")
        np.testing.assert_array_equal(np.asarray(image), DEEP[..., 0] // 2)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.ppm", b"P6 20 20 65535\n" + DEEP.astype(">u2").tobytes(), "PPM of more than 8 bits and RGB"),
        ("a.ppm", b"P6 20 20 1023\n" + (DEEP % 1024).astype(">u2").tobytes(), "PPM of more than 8 bits and RGB"),
        ("a.ppm", b"P3 20 20 65535\n" + " ".join(map(str, DEEP.flat)).encode(), "PPM of more than 8 bits and RGB"),
        ("a.jp2", jpeg_2000_of_16_bits(), "JPEG2000 of more than 8 bits and RGB"),
        ("a.sgi", sgi_of_16_bits(), "SGI of more than 8 bits and L"),
    ],
)
def test_bits_that_cannot_be_read_are_refused(name, data, kind, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UndecodableError, match=f"expected 8 bits, or 16 of .*, got a {kind} channels"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.ppm", "a.jp2", "a.sgi"])
def test_8_bits_of_these_formats_become_a_png(name, tmp_path):
    given = (DEEP >> 8).astype(np.uint8)
    Image.fromarray(given).save(tmp_path / name)
    with written_again(tmp_path / name) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        np.testing.assert_array_equal(np.asarray(image), given)


def test_floats_of_another_format_become_a_tiff(tmp_path):
    given = np.linspace(0, 1, N_VALUES, dtype="<f4").reshape(20, 20)
    (tmp_path / "a.pfm").write_bytes(b"Pf\n20 20\n-1.0\n" + given[::-1].tobytes())
    picture, _ = read(tmp_path / "a.pfm")
    assert picture.ending == ".tif"
    with written_again(tmp_path / "a.pfm") as image:
        assert (image.format, image.mode) == ("TIFF", "F")
        np.testing.assert_array_equal(np.asarray(image), given)


def test_ink_of_another_format_becomes_a_tiff(tmp_path):
    given = (np.arange(N_VALUES * 4) % 251).astype(np.uint8).reshape(20, 20, 4)
    (tmp_path / "a.ppm").write_bytes(b"P0CMYK 20 20 255\n" + given.tobytes())
    with written_again(tmp_path / "a.ppm") as image:
        assert (image.format, image.mode) == ("TIFF", "CMYK")
        np.testing.assert_array_equal(np.asarray(image), given)


@pytest.mark.parametrize(("mode", "stays"), [("LAB", False), ("RGB", True), ("P", True)])
def test_a_profile_stays_unless_it_is_of_other_colors(mode, stays, tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB" if stays else "LAB")).tobytes()
    image = Image.fromarray((DEEP >> 8).astype(np.uint8))
    image = image.quantize(8) if mode == "P" else image.convert(mode)
    image.save(tmp_path / "a.tif", icc_profile=profile)
    with written_again(tmp_path / "a.tif") as found:
        assert found.mode == "RGB"
        assert found.info.get("icc_profile") == (profile if stays else None)


def test_the_resolution_of_16_bit_color_stays(tmp_path):
    per_meter = 11_811, 5_905
    (tmp_path / "a.png").write_bytes(with_chunk(encode_deep(DEEP), b"pHYs", struct.pack(">2IB", *per_meter, 1)))
    with written_again(tmp_path / "a.png") as image:
        assert image.info["dpi"] == pytest.approx([n * 0.0254 for n in per_meter], abs=1e-9)


def test_the_resolution_stays_in_another_format(tmp_path):
    Image.new("L", (20, 20)).save(tmp_path / "a.pcx")  # at Pillow's 100 dpi
    with written_again(tmp_path / "a.pcx") as image:
        assert (image.format, image.info["dpi"]) == ("PNG", pytest.approx((100, 100), abs=0.02))


def test_a_resolution_that_is_no_number_is_left_out(tmp_path):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag in (282, 283):
        tags[tag], tags.tagtype[tag] = TiffImagePlugin.IFDRational(0, 0), TiffTags.RATIONAL
    tags[296] = 2  # dots per inch
    Image.new("L", (20, 20)).save(tmp_path / "a.tif", tiffinfo=tags)
    with Image.open(tmp_path / "a.tif") as image:
        assert math.isnan(image.info["dpi"][0])
    assert "dpi" not in read(tmp_path / "a.tif")[0].options
