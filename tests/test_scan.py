"""Reading scans of every kind as gray rows, and writing masks. All files are made here."""

import io
import mmap
import os
import re
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile

from wellseg.scan import ScanError, is_scan_file, tiff_page
from wellseg.scan.atomic import write_file
from wellseg.scan.files import is_wanted
from wellseg.scan.pictures import to_gray
from wellseg.scan.reader import Scan, open_scan, pages_of
from wellseg.scan.writer import MaskWriter, write_picture

ROWS, COLUMNS = 101, 83


@pytest.fixture
def page() -> np.ndarray:
    """A bilevel log in miniature: bool, True is ink; nothing in it is symmetric."""
    rng = np.random.default_rng(3)
    ink = rng.random((ROWS, COLUMNS)) < 0.02
    ink[:, 7] = True
    ink[::10, 20:60] = True
    ink[5:9, :30] = True
    path = 50 + np.cumsum(rng.integers(-2, 3, ROWS)) % 25
    ink[np.arange(ROWS), path] = True
    ink[-1, -1] = ink[0, 0] = True
    return ink


@pytest.fixture
def colours() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (ROWS, COLUMNS, 3), dtype=np.uint8)


def in_gray(rgb: np.ndarray) -> np.ndarray:
    """Rec. 601 less the saturation beyond 96, written down a second time."""
    rgb = np.asarray(rgb, float)
    strong = np.maximum(0, rgb.max(axis=-1) - rgb.min(axis=-1) - 96)
    return np.maximum(0, rgb @ (0.299, 0.587, 0.114) - strong)


def test_light_colours_are_ink_and_tinted_paper_is_paper(tmp_path: Path) -> None:
    colours = {"yellow": (255, 255, 0), "cyan": (0, 255, 255), "orange": (255, 165, 0)}
    pale = {"yellowed paper": (240, 222, 170), "green grid": (190, 235, 190)}
    for n, (name, rgb) in enumerate({**colours, **pale}.items()):
        path = tmp_path / f"{n}.tif"
        tifffile.imwrite(path, np.full((ROWS, COLUMNS, 3), rgb, np.uint8), photometric="rgb")
        gray = read(path)
        assert (gray < 80).all() if name in colours else (gray > 200).all(), name


def good_rows(scan: Scan) -> int:
    """How many rows can be read from the top, by what the error says."""
    try:
        scan.read(0, scan.rows)
    except ScanError as error:
        found = re.search(r"damaged from row (\d+) on", str(error))
        assert found, error
        return int(found[1])
    return scan.rows


def read(path: Path, page: int | None = None) -> np.ndarray:
    with open_scan(path, page) as scan:
        gray = scan.read(0, scan.rows)
        assert gray.dtype == np.uint8 and gray.shape == (scan.rows, scan.columns)
        return gray


def save_fax(path: Path, ink: np.ndarray, compression: str, **tags: int) -> None:
    """Fax codes by libtiff, through Pillow: neither tifffile nor imagecodecs writes them.

    MinIsWhite, as in archives: in tests of damage it matters which colour is 0.
    """
    image = pytest.importorskip("PIL.Image")
    numbers = {"rows_per_strip": 278, "photometric": 262}
    info = {numbers[name]: value for name, value in {"photometric": 0, **tags}.items()}
    image.fromarray(~ink).save(path, compression=compression, tiffinfo=info, dpi=(300, 300))


# Polarity


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "packbits", "zstd", "lzma"])
@pytest.mark.parametrize("photometric", ["miniswhite", "minisblack"])
@pytest.mark.parametrize("bits", [1, 8, 16])
def test_black_ink_is_0_whatever_the_photometric(
    tmp_path: Path, page: np.ndarray, bits: int, photometric: str, compression: str | None
) -> None:
    white = ~page if photometric == "minisblack" else page
    stored = white if bits == 1 else white * np.array(2**bits - 1, f"u{bits // 8}")
    path = tmp_path / "scan.tif"
    options: dict[str, Any] = {"compression": compression, "rowsperstrip": 16}
    tifffile.imwrite(path, stored, photometric=photometric, **options)
    assert np.array_equal(read(path), np.where(page, 0, 255))


@pytest.mark.parametrize("rows_per_strip", [16, ROWS])
@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("compression", ["group4", "group3", "tiff_ccitt"])
def test_fax(
    tmp_path: Path, page: np.ndarray, compression: str, photometric: int, rows_per_strip: int
) -> None:
    path = tmp_path / "scan.tif"
    save_fax(path, page, compression, photometric=photometric, rows_per_strip=rows_per_strip)
    assert np.array_equal(read(path), np.where(page, 0, 255))


@pytest.mark.parametrize("compression", ["group4", "group3"])
def test_tall_fax_strips_decode_the_same_through_a_temporary_file(
    tmp_path: Path, page: np.ndarray, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tall = np.tile(page, (40, 1))
    path = tmp_path / "scan.tif"
    save_fax(path, tall, compression, rows_per_strip=len(tall))
    monkeypatch.setattr(tiff_page, "SPILL_PIXELS", 1000)
    assert np.array_equal(read(path), np.where(tall, 0, 255))


def test_tall_fax_strip_without_disk_space(
    tmp_path: Path, page: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "scan.tif"
    save_fax(path, page, "group4", rows_per_strip=ROWS)
    monkeypatch.setattr(tiff_page, "SPILL_PIXELS", 1000)
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(ScanError, match=r"scan.tif.*temporary file.*No space.*TMPDIR"):
        read(path)


def test_a_large_fax_strip_where_the_system_has_no_posix(
    tmp_path: Path, page: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scan.tif"
    save_fax(path, page, "group4", rows_per_strip=ROWS)
    monkeypatch.setattr(tiff_page, "SPILL_PIXELS", 1000)
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    monkeypatch.delattr(mmap, "MADV_DONTNEED", raising=False)
    assert np.array_equal(read(path), np.where(page, 0, 255))


def fax_bytes(path: Path) -> bytes:
    """The codes of a TIFF of one strip."""
    with tifffile.TiffFile(path) as tif:
        tif.filehandle.seek(tif.pages[0].dataoffsets[0])
        return tif.filehandle.read(tif.pages[0].databytecounts[0])


def test_runs_without_a_pixel(tmp_path: Path) -> None:
    """ImageGear writes them, and the next row passes them by, as in libtiff's testfax4.tiff: a
    decoder that keeps the pixels of the row above alone puts the second row's ink 15 columns on."""
    passed, horizontal, straight = "0001 ", "001 ", "1 "
    white = {0: "00110101 ", 3: "1000 ", 10: "00111 "}
    black = {0: "0000110111 ", 4: "011 ", 5: "0011 "}
    codes = [
        horizontal + white[0] + black[0] + horizontal + white[10] + black[5] + straight,
        passed + horizontal + white[3] + black[4] + passed + straight,
    ]
    bits = "".join(codes).replace(" ", "") + "000000000001" * 2
    data = np.packbits([int(bit) for bit in bits]).tobytes()
    path = tmp_path / "scan.tif"
    path.write_bytes(tiny_tiff(data, bits=1, compression=4, photometric=0, rows=2, columns=40))
    expected = np.full((2, 40), 255)
    expected[0, 10:15] = expected[1, 3:7] = 0
    assert np.array_equal(read(path), expected)


def test_after_an_early_end_mark_the_paper_is_blank(tmp_path: Path, page: np.ndarray) -> None:
    save_fax(tmp_path / "fax.tif", page, "group4", rows_per_strip=ROWS)
    data, path = fax_bytes(tmp_path / "fax.tif"), tmp_path / "scan.tif"
    path.write_bytes(tiny_tiff(data, bits=1, compression=4, photometric=0, rows=ROWS + 50))
    gray = read(path)
    assert np.array_equal(gray[:ROWS], np.where(page, 0, 255)) and (gray[ROWS:] == 255).all()


def test_zeros_at_the_start_of_a_row_are_damage(tmp_path: Path, page: np.ndarray) -> None:
    """They look like an end mark, but the data go on."""
    page[30:60] = False  # each of these rows is one bit
    save_fax(tmp_path / "fax.tif", page[:45], "group4", rows_per_strip=45)
    head = fax_bytes(tmp_path / "fax.tif")[:-4]  # without the end mark and a few blank rows
    save_fax(tmp_path / "fax.tif", page, "group4", rows_per_strip=ROWS)
    data = fax_bytes(tmp_path / "fax.tif")
    assert data.startswith(head)
    for rest in (data[len(head) + 8 :], b""):  # eight bytes zeroed, or all to the end
        zeroed = (head + b"\0" * 8 + rest).ljust(len(data), b"\0")
        path = tmp_path / "scan.tif"
        path.write_bytes(tiny_tiff(zeroed, bits=1, compression=4, photometric=0))
        with open_scan(path) as scan:
            assert 25 < good_rows(scan) < 45


# Depth and colour


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i1", "i2", "i4"])
def test_full_range_of_integers(tmp_path: Path, dtype: str, byteorder: str) -> None:
    info = np.iinfo(dtype)
    values = np.linspace(float(info.min), float(info.max), ROWS * COLUMNS)
    stored = np.clip(values, info.min, info.max).astype(dtype).reshape(ROWS, COLUMNS)
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, stored, byteorder=byteorder, photometric="minisblack", rowsperstrip=9)
    expected = np.linspace(0, 255, ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    # 8-bit steps are coarser than the line
    assert np.abs(read(path) - expected).max() <= (1.0 if info.bits == 8 else 0.51)


@pytest.mark.parametrize("bits", [2, 4, 12])
def test_packed_depths(tmp_path: Path, bits: int) -> None:
    rng = np.random.default_rng(bits)
    stored = rng.integers(0, 2**bits, (ROWS, COLUMNS)).astype("u1" if bits < 8 else "u2")
    rows = [np.unpackbits(row[:, None].astype(">u2").view("u1"), axis=1)[:, 16 - bits :]
            for row in stored]  # fmt: skip
    packed = b"".join(np.packbits(row.ravel()).tobytes() for row in rows)
    path = tmp_path / "scan.tif"
    path.write_bytes(tiny_tiff(packed, bits=bits))
    assert np.abs(read(path) - stored * (255 / (2**bits - 1))).max() <= 1


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_few_bits_stored_in_sixteen(tmp_path: Path, bits: int, photometric: Any) -> None:
    stored = np.random.default_rng(bits).integers(0, 2**bits, (ROWS, COLUMNS), np.uint16)
    tifffile.imwrite(tmp_path / "scan.tif", stored, photometric=photometric, rowsperstrip=9)
    expected = stored * (255 / (2**bits - 1))
    expected = expected if photometric == "minisblack" else 255 - expected
    assert np.abs(read(tmp_path / "scan.tif") - expected).max() <= 0.51


@pytest.mark.parametrize(
    "low, high, start, stop", [(0, 1, 0, 1), (0.2, 0.4, 0, 1), (-5, 20, -5, 20)]
)
def test_floats(tmp_path: Path, low: float, high: float, start: float, stop: float) -> None:
    values = np.random.default_rng(0).uniform(low, high, (ROWS, COLUMNS)).astype(np.float32)
    values[3, 4], values[90, 5] = low, high
    expected = (values - start) / (stop - start) * 255
    values[50, 60] = np.nan
    expected[50, 60] = 255
    for photometric in ("minisblack", "miniswhite"):
        path = tmp_path / "scan.tif"
        tifffile.imwrite(path, values, photometric=photometric, rowsperstrip=20)
        gray = read(path)
        if photometric == "miniswhite":
            expected = 255 - expected
            expected[50, 60] = 255
        assert np.abs(gray - expected).max() <= 0.51


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (32, 48)])
def test_rgb_is_in_gray(
    tmp_path: Path, colours: np.ndarray, dtype: str, planar: str, tile: tuple[int, int] | None
) -> None:
    stored = colours.astype(dtype) * np.array(1 if dtype == "u1" else 257, dtype)
    if planar == "separate":
        stored = np.ascontiguousarray(np.moveaxis(stored, 2, 0))
    path = tmp_path / "scan.tif"
    options = {"tile": tile} if tile else {"rowsperstrip": 16}
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar, **options)
    assert np.abs(read(path) - in_gray(colours)).max() <= 0.51


@pytest.mark.parametrize("compression", ["lzw", "deflate"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_horizontal_predictor(
    tmp_path: Path, colours: np.ndarray, dtype: str, compression: str
) -> None:
    path = tmp_path / "scan.tif"
    stored = colours.astype(dtype) * np.array(1 if dtype == "u1" else 257, dtype)
    for byteorder in "<>":
        tifffile.imwrite(path, stored, predictor=2, compression=compression, byteorder=byteorder,
                         photometric="rgb", rowsperstrip=16)  # fmt: skip
        assert np.abs(read(path) - in_gray(colours)).max() <= 0.51


@pytest.mark.parametrize("compression", [None, "packbits"])
def test_a_predictor_that_a_converter_left_in_the_tags_is_none(
    tmp_path: Path, colours: np.ndarray, compression: str | None
) -> None:
    path = tmp_path / "scan.tif"
    other = [(40_000, "H", 1, 2, True)]
    tifffile.imwrite(path, colours, photometric="rgb", compression=compression, extratags=other)
    predictor, other = (struct.pack("<HHIH", tag, 3, 1, 2) for tag in (317, 40_000))
    data = path.read_bytes()
    assert data.count(other) == 1
    path.write_bytes(data.replace(other, predictor))  # libtiff and Pillow take no notice of it
    assert np.abs(read(path) - in_gray(colours)).max() <= 0.51


@pytest.mark.parametrize("extrasample, dtype", [("unassalpha", "u1"), ("unassalpha", "u2"),
                                                ("assocalpha", "u1")])  # fmt: skip
def test_alpha_is_laid_on_white(
    tmp_path: Path, colours: np.ndarray, extrasample: str, dtype: str
) -> None:
    alpha = np.random.default_rng(1).integers(0, 256, (ROWS, COLUMNS, 1))
    alpha[:10], alpha[10:20] = 0, 255
    on_white = in_gray(np.rint(colours * (alpha / 255) + 255 - alpha))
    if extrasample == "assocalpha":
        colours = (colours * (alpha / 255)).astype(np.uint8)
    stored = np.concatenate([colours, alpha], axis=2).astype(dtype)
    stored *= np.array(1 if dtype == "u1" else 257, dtype)
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, stored, photometric="rgb", extrasamples=[extrasample])
    gray = read(path)
    assert np.abs(gray - on_white).max() <= 4
    assert (gray[:10] == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rows_of_rare_kinds_stay_as_stored(
    tmp_path: Path, colours: np.ndarray, orientation: int
) -> None:
    """libtiff decodes them as a whole, and mirrors some."""
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, colours, photometric="rgb", compression="webp", rowsperstrip=ROWS,
                     compressionargs={"lossless": True},
                     extratags=[(274, 3, 1, orientation, True)])  # fmt: skip
    assert np.abs(read(path) - in_gray(colours)).max() <= 0.51
    with open_scan(path, colour=True) as scan:
        assert np.array_equal(scan.read(0, ROWS), colours)


def test_white_ink_on_black(tmp_path: Path, page: np.ndarray) -> None:
    path = tmp_path / "scan.tif"
    for ink, black in ((page, False), (~page, True)):
        tifffile.imwrite(path, ~ink, photometric="minisblack")
        with open_scan(path) as scan:
            assert not scan.mostly_black  # nothing was read
            scan.read(0, 50)
            scan.read(0, ROWS)
            assert scan.mostly_black == black
    with open_scan(path, invert=True) as scan:
        assert np.array_equal(scan.read(0, ROWS), np.where(page, 0, 255))
        assert not scan.mostly_black


def test_colours_on_black_are_ink(tmp_path: Path) -> None:
    """Inverted first, then turned to gray: green, cyan and yellow on black were white paper."""
    path = tmp_path / "scan.tif"
    tifffile.imwrite(
        path, np.array([[[0, 0, 0], [0, 255, 0], [0, 255, 255], [255, 255, 0]]], np.uint8)
    )
    with open_scan(path, invert=True) as scan:
        gray = scan.read(0, 1)[0]
    assert gray[0] == 255 and gray[1:].max() < 80
    with open_scan(path, colour=True, invert=True) as scan:
        assert np.array_equal(scan.read(0, 1)[0, 1], [255, 0, 255])


def test_cmyk(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, COLUMNS).astype(np.uint8)
    stored = np.zeros((4, COLUMNS, 4), np.uint8)
    stored[1, :, 3] = ramp  # black ink
    stored[2, :, :3] = ramp[:, None]  # as much of the three colours
    stored[3, :, 0] = 255  # cyan
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, stored, photometric="separated", planarconfig="contig")
    expected = np.array(
        [np.full(COLUMNS, 255), 255 - ramp, 255 - ramp, np.full(COLUMNS, 19.5)]
    )  # cyan is strong
    assert np.abs(read(path) - expected).max() <= 1


def test_lab(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    lab = [(255, 0, 0), (0, 0, 0), (137, 0, 0), (136, 80, 67), (248, -22, 94), (82, 79, -108)]
    seen = [(255,) * 3, (0,) * 3, (128,) * 3, (255, 0, 0), (255, 255, 0), (0, 0, 255)]
    stored = np.repeat(np.array(lab)[None], 3, axis=0)
    tifffile.imwrite(path, stored.astype(np.uint8), photometric="cielab")
    with open_scan(path, colour=True) as scan:
        assert scan.kind == "colour"
        assert np.abs(scan.read(0, 3).astype(int) - seen).max() <= 9
    assert np.abs(read(path) - in_gray(np.array(seen))).max() <= 9
    tifffile.imwrite(path, stored.astype(np.uint16), photometric="cielab")
    with pytest.raises(ScanError, match="photometric 8, 3 samples of 16 bits: not supported"):
        open_scan(path)


def test_alpha_does_not_say_how_many_bits_are_used(tmp_path: Path) -> None:
    """Scanners store 12 bits in 16; an opaque alpha channel has as many, or all 16."""
    ink = np.random.default_rng(2).integers(0, 4096, (ROWS, COLUMNS)).astype("u2")
    plain, opaque = tmp_path / "plain.tif", tmp_path / "opaque.tif"
    tifffile.imwrite(plain, ink)
    for alpha in (4095, 65535):
        stored = np.dstack([ink, np.full_like(ink, alpha)])
        tifffile.imwrite(opaque, stored, photometric="minisblack", planarconfig="contig",
                         extrasamples=["unassalpha"])  # fmt: skip
        np.testing.assert_array_equal(read(opaque), read(plain))


@pytest.mark.parametrize("kind", ["rgb", "rgba", "tiles", "planes", "jpeg in tiff", "png", "jpg"])
def test_colours_are_read_when_asked_for(tmp_path: Path, colours: np.ndarray, kind: str) -> None:
    path = tmp_path / ("scan." + (kind if kind in ("png", "jpg") else "tif"))
    smooth = cv2.blur(colours, (31, 31))  # JPEG would change noise
    smooth[..., 2] //= 2
    if kind in ("png", "jpg"):
        path.write_bytes(cv2.imencode(path.suffix, smooth[..., ::-1])[1].tobytes())
    elif kind == "rgba":
        opaque = np.dstack([smooth, np.full((ROWS, COLUMNS), 255, np.uint8)])
        tifffile.imwrite(path, opaque, photometric="rgb", extrasamples=["unassalpha"])
    elif kind == "planes":
        planes = np.moveaxis(smooth, 2, 0)
        tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate")
    else:
        options: dict[str, Any] = {"tile": (32, 48)} if kind == "tiles" else {}
        options["compression"] = "jpeg" if "jpeg" in kind else None
        tifffile.imwrite(path, smooth, photometric="rgb", **options)
    with open_scan(path, colour=True) as scan:
        assert scan.kind == "colour"
        shown = np.concatenate([scan.read(0, 40), scan.read(40, ROWS)])
    assert np.abs(shown.astype(int) - smooth).max() <= (12 if "jp" in kind else 0)
    assert np.abs(read(path) - in_gray(smooth)).max() <= (12 if "jp" in kind else 1)


def test_colours_of_a_palette_and_of_four_inks(tmp_path: Path, page: np.ndarray) -> None:
    palette = np.zeros((3, 16), np.uint16)
    palette[0, 1], palette[:, 2] = 65535, 65535
    index = np.where(page, 1, 2).astype(np.uint8)
    bit_planes = np.unpackbits(index[..., None], axis=2)[..., 4:]
    packed = np.packbits(bit_planes.reshape(ROWS, -1), axis=1).tobytes()
    (tmp_path / "a.tif").write_bytes(tiny_tiff(packed, bits=4, photometric=3, palette=palette))
    inks = np.zeros((ROWS, COLUMNS, 4), np.uint8)
    inks[page, 1:3] = 255
    tifffile.imwrite(tmp_path / "b.tif", inks, photometric="separated")
    for name in "ab":
        with open_scan(tmp_path / f"{name}.tif", colour=True) as scan:
            shown = scan.read(0, ROWS)
        assert (shown[page] == (255, 0, 0)).all() and (shown[~page] == 255).all()


@pytest.mark.parametrize("invert", [False, True])
def test_colours_that_show_none_are_gray(tmp_path: Path, invert: bool) -> None:
    gray = np.full((3000, 400), 255, np.uint8)
    gray[:, 50:53], gray[::40] = 0, 128
    stored = {"gray": np.dstack([gray] * 3), "one": np.dstack([gray] * 3)}
    stored["one"][:, 200] = 255, 0, 0  # a curve of one pixel
    stored["logo"] = stored["gray"].copy()
    stored["logo"][:10, :20] = 0, 0, 255
    for name, kind in (("gray", "gray"), ("one", "colour"), ("logo", "gray")):
        tifffile.imwrite(tmp_path / "a.tif", stored[name], photometric="rgb", rowsperstrip=7)
        with open_scan(tmp_path / "a.tif", colour=True, invert=invert) as scan:
            assert (scan.kind, scan.mostly_black) == (kind, False)
            shown = scan.read(0, 3000)
        want = 255 - stored[name] if invert else stored[name]
        if kind == "gray":
            want = np.rint(in_gray(want)).astype(np.uint8)
        assert np.abs(shown.astype(int) - want).max() <= (1 if kind == "gray" else 0)
    palette = np.zeros((3, 256), np.uint16)
    palette[:, 1], palette[0, 2] = 65535, 65535
    tifffile.imwrite(
        tmp_path / "b.tif", (gray > 100).view(np.uint8), photometric="palette", colormap=palette
    )
    with open_scan(tmp_path / "b.tif", colour=True) as scan:
        assert scan.kind == "gray"
        np.testing.assert_array_equal(scan.read(0, 3000) > 0, gray > 100)


def test_gray_stays_gray_when_colours_are_asked_for(tmp_path: Path, page: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "a.tif", page, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "b.tif", np.where(page, np.uint8(9), np.uint8(240)))
    for name, kind in (("a", "1-bit"), ("b", "gray")):
        with open_scan(tmp_path / f"{name}.tif", colour=True) as scan:
            assert scan.kind == kind
            np.testing.assert_array_equal(scan.read(0, ROWS), read(tmp_path / f"{name}.tif"))


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_palette_values_are_indexes(tmp_path: Path, bits: int) -> None:
    rng = np.random.default_rng(bits)
    palette = rng.integers(0, 65536, (3, 2**bits)).astype(np.uint16)
    index = rng.integers(0, 2**bits, (ROWS, COLUMNS)).astype(np.uint8)
    bit_planes = np.unpackbits(index[..., None], axis=2)[..., 8 - bits :]
    packed = np.packbits(bit_planes.reshape(ROWS, -1), axis=1).tobytes()
    path = tmp_path / "scan.tif"
    path.write_bytes(tiny_tiff(packed, bits=bits, photometric=3, palette=palette))
    assert np.abs(read(path) - in_gray((palette >> 8).T)[index]).max() <= 0.51


@pytest.mark.parametrize("bits", [1, 4])
def test_fill_order(tmp_path: Path, bits: int) -> None:
    data = np.random.default_rng(9).integers(0, 256, (ROWS, -(-COLUMNS * bits // 8)), np.uint8)
    reversed_bits = np.packbits(np.unpackbits(data, axis=1).reshape(-1, 8)[:, ::-1], axis=1)
    (tmp_path / "1.tif").write_bytes(tiny_tiff(data.tobytes(), bits=bits))
    (tmp_path / "2.tif").write_bytes(tiny_tiff(reversed_bits.tobytes(), bits=bits, fill_order=2))
    assert np.array_equal(read(tmp_path / "1.tif"), read(tmp_path / "2.tif"))


def tiny_tiff(
    data: bytes,
    *,
    bits: int = 8,
    compression: int = 1,
    photometric: int = 1,
    fill_order: int = 1,
    palette: np.ndarray | None = None,
    rows: int = ROWS,
    columns: int = COLUMNS,
    byte_counts: bool = True,
    strip_at: int = 8,
    more: list[tuple[int, int, int]] | None = None,
) -> bytes:
    """A little-endian TIFF of one strip, written by hand; the pixels stand before the tags."""
    tags: list[tuple[int, int, Any]] = [
        (256, 4, columns), (257, 4, rows), (258, 3, bits), (259, 3, compression),
        (262, 3, photometric), (266, 3, fill_order), (273, 4, strip_at), (277, 3, 1),
        (278, 4, rows),
    ]  # fmt: skip
    tail = b"" if palette is None else palette.astype("<u2").tobytes()
    at = 8 + len(data) + len(data) % 2
    if byte_counts:
        tags.append((279, 4, 8 + len(data) - strip_at))
    tags += more or []
    entries = b"".join(
        tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + (1).to_bytes(4, "little")
        + value.to_bytes(4, "little") for tag, kind, value in tags
    )  # fmt: skip
    if palette is not None:
        entries += (320).to_bytes(2, "little") + (3).to_bytes(2, "little")
        entries += palette.size.to_bytes(4, "little") + at.to_bytes(4, "little")
    count = len(entries) // 12
    head = b"II*\0" + (at + len(tail)).to_bytes(4, "little")
    body = data + b"\0" * (len(data) % 2) + tail
    return head + body + count.to_bytes(2, "little") + entries + b"\0" * 4


@pytest.mark.parametrize("compression", ["none", "group4"])
def test_strips_without_byte_counts(tmp_path: Path, page: np.ndarray, compression: str) -> None:
    if compression == "none":
        data, code = np.packbits(~page, axis=1).tobytes(), 1
    else:
        save_fax(tmp_path / "fax.tif", page, "group4", rows_per_strip=ROWS)
        with tifffile.TiffFile(tmp_path / "fax.tif") as tif:
            tags = tif.pages[0]
            tif.filehandle.seek(tags.dataoffsets[0])
            data, code = tif.filehandle.read(tags.databytecounts[0]), 4
    path = tmp_path / "scan.tif"
    path.write_bytes(
        tiny_tiff(data, bits=1, compression=code, photometric=code == 1, byte_counts=False)
    )
    assert np.array_equal(read(path), np.where(page, 0, 255))


@pytest.mark.parametrize("tile", [None, (32, 32)])
def test_jpeg_in_tiff(tmp_path: Path, tile: tuple[int, int] | None) -> None:
    smooth = np.linspace(0, 255, ROWS)[:, None, None] * np.linspace(0.3, 1, COLUMNS)[:, None]
    colours = (smooth * (1, 0.8, 0.5)).astype(np.uint8)
    path = tmp_path / "scan.tif"
    options = {"tile": tile} if tile else {"rowsperstrip": 32}
    tifffile.imwrite(path, colours, photometric="rgb", compression="jpeg",
                     compressionargs={"level": 95}, **options)  # fmt: skip
    assert np.abs(read(path) - in_gray(colours)).mean() < 2


@pytest.mark.parametrize("options", [{"bigtiff": True}, {"byteorder": ">", "bigtiff": True},
                                     {"tile": (16, 32)}, {"tile": (16, 32), "compression": "lzw"},
                                     {"rowsperstrip": 1}, {"rowsperstrip": 1000}])  # fmt: skip
def test_layouts(tmp_path: Path, colours: np.ndarray, options: dict[str, Any]) -> None:
    path = tmp_path / "scan.tif"
    for stored in (colours[..., 0], colours[..., 0] > 99):
        tifffile.imwrite(path, stored, photometric="minisblack", **options)
        scale = 255 if stored.dtype == bool else 1
        assert np.array_equal(read(path), stored * np.uint8(scale))


# Bands, pages, tags


@pytest.mark.parametrize("kind", ["strips", "one strip", "tiles", "fax", "raw", "png"])
def test_any_band_is_a_part_of_the_whole(
    tmp_path: Path, page: np.ndarray, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scan.tif"
    gray = np.where(page, 0, 255).astype(np.uint8)
    if kind == "fax":
        save_fax(path, page, "group4", rows_per_strip=13)
    elif kind == "png":
        cv2.imwrite(str(tmp_path / "scan.png"), gray)
        path = tmp_path / "scan.png"
    else:
        options: dict[str, Any] = {
            "strips": {"rowsperstrip": 13, "compression": "lzw"},
            "one strip": {"rowsperstrip": ROWS, "compression": "lzw"},
            "tiles": {"tile": (16, 16)},
            "raw": {"rowsperstrip": 40},
        }[kind]
        tifffile.imwrite(path, gray, photometric="minisblack", **options)
    rng = np.random.default_rng(5)
    with open_scan(path) as scan:
        for _ in range(60):
            start, stop = sorted(rng.integers(0, ROWS + 1, 2))
            assert np.array_equal(scan.read(start, stop), gray[start:stop])
        for start, stop in ((-1, 3), (5, 4), (0, ROWS + 1)):
            with pytest.raises(ValueError, match="rows"):
                scan.read(start, stop)


def test_what_read_gives_may_be_changed(tmp_path: Path, page: np.ndarray) -> None:
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, np.where(page, 0, 255).astype(np.uint8), rowsperstrip=ROWS)
    with open_scan(path) as scan:
        scan.read(0, 50)[:] = 7
        assert np.array_equal(scan.read(0, 50), np.where(page[:50], 0, 255))


def test_the_largest_page_is_the_default(tmp_path: Path, colours: np.ndarray) -> None:
    path = tmp_path / "scan.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(colours[:20, :, 0], photometric="minisblack")
        writer.write(colours[..., 1], photometric="minisblack")
        writer.write(colours[..., 2], photometric="minisblack")
    with open_scan(path) as scan:
        assert (scan.page, scan.pages, scan.rows) == (1, 3, ROWS)
    assert np.array_equal(read(path), colours[..., 1])
    assert np.array_equal(read(path, 0), colours[:20, :, 0])
    assert np.array_equal(read(path, 2), colours[..., 2])
    for number in (3, -1):
        with pytest.raises(ScanError, match=f"scan.tif: has no page {number}"):
            open_scan(path, number)


def test_every_page_is_a_scan_of_its_own(tmp_path: Path, colours: np.ndarray) -> None:
    path = tmp_path / "scan.tif"
    gray = colours[..., 0]
    with tifffile.TiffWriter(path) as writer:
        for pixels, kind in (
            (gray, 0),
            (gray[::4, ::4], 0),  # a reduced copy that no tag calls so
            (gray[:40, :70], 1),  # one that a tag does
            (gray[:30, :20], 0),  # a thumbnail
            (gray[:50, ::-1], 0),  # another log of the same width
            (gray[:60] > 99, 4),  # a mask
            (gray[:15], 0),  # a strip of the same width
        ):
            writer.write(np.repeat(pixels, 3, axis=0), photometric="minisblack", subfiletype=kind)
    assert pages_of(path) == ([4, 6], [1, 2, 3, 5])
    with open_scan(path, page=4) as scan:
        assert np.array_equal(scan.read(0, 150), np.repeat(gray[:50, ::-1], 3, axis=0))
    cv2.imwrite(str(tmp_path / "scan.png"), gray)
    assert pages_of(tmp_path / "scan.png") == ([], [])
    with pytest.raises(ScanError, match="no such file"):
        pages_of(tmp_path / "missing.tif")


@pytest.mark.parametrize("dpi", [1, 2400])
def test_what_no_scanner_does_is_no_resolution(tmp_path: Path, dpi: int) -> None:
    write_picture(tmp_path / "a.tif", np.full((9, 9), 255, np.uint8), dpi=dpi)
    with open_scan(tmp_path / "a.tif") as scan:
        assert scan.dpi is None and scan.resolution == ((dpi, 1), (dpi, 1), 2)


@pytest.mark.parametrize(
    ("columns", "told", "likely"), [(850, None, 100), (850, 300, 300), (300, None, 200)]
)
def test_a_scan_that_tells_no_resolution_is_as_wide_as_paper_or_a_part_of_it(
    tmp_path: Path, columns: int, told: int | None, likely: int
) -> None:
    write_picture(tmp_path / "a.tif", np.full((9, columns), 255, np.uint8), dpi=told or 1)
    with open_scan(tmp_path / "a.tif") as scan:
        assert (scan.dpi, scan.likely_dpi) == (told, likely)


@pytest.mark.parametrize("unit, dpi", [("inch", 400), ("centimeter", 1016), ("none", None)])
def test_resolution_survives_in_the_mask(tmp_path: Path, unit: str, dpi: float | None) -> None:
    source, mask = tmp_path / "scan.tif", tmp_path / "scan.mask.tif"
    blank = np.zeros((5, 4), np.uint8)
    tifffile.imwrite(source, blank, resolution=((400, 1), (1201, 3)), resolutionunit=unit)
    with open_scan(source) as scan:
        assert scan.dpi == pytest.approx(dpi) if dpi else scan.dpi is None
        write_mask(mask, [blank], 5, 4, scan.resolution)
    with tifffile.TiffFile(source) as a, tifffile.TiffFile(mask) as b:
        for tag in ("XResolution", "YResolution", "ResolutionUnit"):
            assert a.pages[0].tags[tag].value == b.pages[0].tags[tag].value


def test_orientation_is_told_but_rows_stay_as_stored(tmp_path: Path, page: np.ndarray) -> None:
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, ~page, photometric="minisblack", extratags=[(274, 3, 1, 6, True)])
    with open_scan(path) as scan:
        assert scan.orientation == 6
    assert np.array_equal(read(path), np.where(page, 0, 255))


# PNG and JPEG


@pytest.mark.parametrize("kind", ["gray", "gray16", "rgb", "rgba"])
def test_png(tmp_path: Path, colours: np.ndarray, kind: str) -> None:
    path = tmp_path / "scan.png"
    gray, alpha = colours[..., 1], colours[..., 2]
    bgr = colours[..., ::-1]
    stored, expected = {
        "gray": (gray, gray),
        "gray16": (gray.astype(np.uint16) * 257, gray),
        "rgb": (bgr, in_gray(colours)),
        "rgba": (
            np.dstack([bgr, alpha]),
            in_gray(np.rint(colours * (alpha[..., None] / 255) + 255 - alpha[..., None])),
        ),
    }[kind]
    cv2.imwrite(str(path), stored)
    assert np.abs(read(path) - np.asarray(expected, float)).max() <= 1


def test_jpeg(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, COLUMNS)[None, :, None] * np.ones((ROWS, 1, 3))
    colours = (ramp * (1, 0.8, 0.5)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "scan.jpg"), colours[..., ::-1])
    assert np.abs(read(tmp_path / "scan.jpg") - in_gray(colours)).mean() < 2


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_what_a_picture_says_of_its_resolution_and_orientation(tmp_path: Path, suffix: str) -> None:
    """Rows stay as stored, as those of a TIFF; the mask has the resolution."""
    image = pytest.importorskip("PIL.Image")
    pixels, mask = np.full((40, 30), 200, np.uint8), tmp_path / "a.mask.tif"
    for at, (exif, own, dpi) in enumerate(
        ((0, 0, None), (300, 0, 300), (0, 400, 400), (72, 200, 200))
    ):
        path, tags = tmp_path / f"{at}{suffix}", image.Exif()
        tags[274] = 6
        tags.update({282: float(exif), 283: float(exif), 296: 2} if exif else {})
        image.fromarray(pixels).save(path, exif=tags, **({"dpi": (own, own)} if own else {}))
        with open_scan(path) as scan:
            assert (scan.rows, scan.columns, scan.orientation, scan.dpi) == (40, 30, 6, dpi)
            assert np.abs(scan.read(0, 40) - 200.0).max() < 2
            write_mask(mask, [pixels], 40, 30, scan.resolution)
        with open_scan(mask) as written:
            assert written.dpi == dpi
    data = bytearray(path.read_bytes())  # damaged is what it says, not its pixels
    for at in re.finditer(rb"MM\0\*", bytes(data)):
        data[at.end() : at.end() + 4] = b"\xff" * 4
    path.write_bytes(data)
    with open_scan(path) as scan:
        assert (scan.orientation, scan.dpi) == (1, 200)


def test_png_chunk_that_claims_too_much(tmp_path: Path, colours: np.ndarray) -> None:
    """Found by fuzzing: OpenCV takes memory for as much as a chunk's length says, here 2 GB."""
    resource = pytest.importorskip("resource")
    path = tmp_path / "scan.png"
    cv2.imwrite(str(path), colours)
    data = bytearray(path.read_bytes())
    data[33:37] = (2**31 - 1).to_bytes(4)  # the first chunk after the header
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ScanError, match=r"scan\.png: damaged"), open_scan(path) as scan:
        scan.read(0, 1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_a_jpeg_2000_of_few_bits_is_white_where_it_is_highest(tmp_path: Path, bits: int) -> None:
    stored = (np.arange(60 * 40).reshape(60, 40) % 2**bits).astype(np.uint8)
    options: Any = {"bitspersample": bits, "reversible": True, "codecformat": "jp2"}
    (tmp_path / "scan.jp2").write_bytes(imagecodecs.jpeg2k_encode(stored, level=0, **options))
    expected = np.rint(stored * (255 / (2**bits - 1)))
    np.testing.assert_array_equal(read(tmp_path / "scan.jp2"), expected)


def test_a_jpeg_2000_in_cmyk_is_not_taken_for_one_with_alpha(tmp_path: Path) -> None:
    ink = np.zeros((60, 40, 4), np.uint8)
    ink[20:40, :, 3] = 255  # black; above and below it is paper
    data = imagecodecs.jpeg2k_encode(ink, level=0, reversible=True, codecformat="jp2")
    at = data.index(b"colr") + 4
    assert data[at : at + 3] == b"\1\0\0"
    (tmp_path / "scan.jp2").write_bytes(data[: at + 3] + (12).to_bytes(4, "big") + data[at + 7 :])
    shown = read(tmp_path / "scan.jp2")
    assert (shown[20:40] == 0).all() and (shown[:20] == 255).all() and (shown[40:] == 255).all()


def test_a_jpeg_may_have_more_behind_its_end(tmp_path: Path) -> None:
    data = imagecodecs.jpeg_encode(np.full((60, 40), 200, np.uint8))
    (tmp_path / "scan.jpg").write_bytes(data + bytes(10_000))
    assert abs(read(tmp_path / "scan.jpg").astype(int) - 200).max() < 3


@pytest.mark.parametrize("compression", ["tiff_deflate", "tiff_adobe_deflate"])
def test_deflated_strips_with_their_bits_reversed(tmp_path: Path, compression: str) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels, path = (
        np.arange(2400, dtype=np.uint16).reshape(60, 40).astype(np.uint8),
        tmp_path / "a.tif",
    )
    image.fromarray(pixels).save(path, compression=compression, tiffinfo={266: 2})
    with tifffile.TiffFile(path) as tif:
        assert tif.pages[0].tags.valueof(266) == 2
    np.testing.assert_array_equal(read(path), pixels)


@pytest.mark.parametrize("suffix", [".bmp", ".jp2"])
def test_other_pictures(tmp_path: Path, colours: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"scan{suffix}"
    smooth = cv2.GaussianBlur(colours, (0, 0), 9)
    for stored, expected in ((smooth[..., ::-1], in_gray(smooth)), (smooth[..., 0],) * 2):
        cv2.imwrite(str(path), stored)
        assert np.abs(read(path) - expected.astype(float)).max() < (1 if suffix == ".bmp" else 9)
    assert is_scan_file(path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ScanError, match=rf"scan{suffix}: damaged"):
        read(path)


@pytest.mark.parametrize("claim", ["more rows", "more columns", "compressed"])
def test_a_bmp_holds_what_it_claims(tmp_path: Path, colours: np.ndarray, claim: str) -> None:
    """The codec reads on beyond the end: pixels of other memory, or the process dies."""
    path = tmp_path / "scan.bmp"
    cv2.imwrite(str(path), colours)
    data = bytearray(path.read_bytes())
    at, value = {"more rows": (22, 103), "more columns": (18, 99), "compressed": (30, 1)}[claim]
    data[at : at + 4] = value.to_bytes(4, "little")
    data[34:38] = (len(data) - 54).to_bytes(4, "little")  # as many bytes of pixels as there are
    if claim == "compressed":
        del data[-300:]
        data[2:6] = len(data).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(ScanError, match=r"scan\.bmp: damaged .* a compressed BMP: convert it"):
        open_scan(path)


def test_what_is_read_elsewhere_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "log.tif").write_bytes(b"%PDF-1.7" + b"\0" * 99)
    with pytest.raises(ScanError, match=r"log.tif: .*begins with b'%PDF-1.7'; export its pages to"):
        open_scan(tmp_path / "log.tif")


def test_files_that_are_skipped_have_a_kind() -> None:
    for name in ("Log.PDF", "log.djvu", "log.tif"):
        assert is_wanted(name, is_folder=False)
    for name in ("log.las", "pdf"):
        assert not is_wanted(name, is_folder=False)


def test_numpy_rows_are_rows(tmp_path: Path, page: np.ndarray) -> None:
    """Codecs refuse NumPy's integers, which once read as damage."""
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, ~page, photometric="minisblack", compression="lzw", rowsperstrip=13)
    with open_scan(path) as scan:
        gray = scan.read(np.int64(3), np.int64(99))
        assert np.array_equal(gray, np.where(page[3:99], 0, 255))


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_truncated_pictures(tmp_path: Path, colours: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"scan{suffix}"
    cv2.imwrite(str(path), colours)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ScanError, match=rf"scan{suffix}: .*damaged"):
        open_scan(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_pictures_that_claim_too_much(tmp_path: Path, suffix: str) -> None:
    """A codec would take 4 GB for what the JPEG says, and libpng for what the PNG does."""
    resource = pytest.importorskip("resource")
    path = tmp_path / f"scan{suffix}"
    cv2.imwrite(str(path), np.zeros((8, 8), np.uint8))
    data = bytearray(path.read_bytes())
    if suffix == ".png":
        data[16:24] = (60_000).to_bytes(4) * 2
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
    else:
        frame = data.index(b"\xff\xc0")
        data[frame + 5 : frame + 9] = (60_000).to_bytes(2) * 2
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ScanError, match=rf"scan{suffix}: .*damaged"):
        open_scan(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_a_jpeg_has_a_bit_for_each_block(tmp_path: Path, colours: np.ndarray) -> None:
    """What is missing becomes gray: 109 kB filled 3.5 GB. A block of 64 pixels takes a bit at
    least, and two in the densest file of white paper that libjpeg writes."""
    image, path = pytest.importorskip("PIL.Image"), tmp_path / "scan.jpg"
    image.new("L", (3000, 3000), 255).save(path, optimize=True)
    assert 3000 * 3000 / path.stat().st_size > 200
    assert (read(path) == 255).all()
    cv2.imwrite(str(path), colours)
    data = bytearray(path.read_bytes())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = (2000).to_bytes(2) + len(data).to_bytes(2)
    path.write_bytes(data)
    with pytest.raises(ScanError, match="damaged JPEG"):
        open_scan(path)


# What is refused, and damage


def test_what_is_not_a_scan(tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("not a picture at all")
    (tmp_path / "empty.tif").touch()
    (tmp_path / "header.tif").write_bytes(b"II*\0")
    for name, reason in {
        "missing.tif": "no such file",
        "": "permission denied" if os.name == "nt" else "is a directory",
        "text.tif": "not a TIFF, PNG or JPEG: it begins with b'not a pi'",
        "empty.tif": "the file is empty",
        "header.tif": "damaged",
    }.items():
        with pytest.raises(ScanError) as caught:
            open_scan(tmp_path / name)
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / name}: ") and reason in message
        assert "\n" not in message


def test_names(tmp_path: Path) -> None:
    for name in ("a.tif", "b.TIFF", "c.d.png", "e.jpeg", "f.JPG"):
        assert is_scan_file(tmp_path / name)
    for name in ("a.txt", "tif", ".hidden.tif", "b.tif.json"):
        assert not is_scan_file(tmp_path / name)


@pytest.mark.parametrize("compression", [1, 4, 5, 7, 8, 32773])
def test_claims_are_refused_before_memory_is_asked_for(tmp_path: Path, compression: int) -> None:
    path = tmp_path / "scan.tif"
    claim = {"rows": 2**31, "columns": 2**20, "compression": compression}
    path.write_bytes(tiny_tiff(b"123456", bits=1 if compression == 4 else 8, **claim))
    with pytest.raises(ScanError, match=r"scan.tif: claims 2,147,483,648 x 1,048,576"):
        open_scan(path)


def test_unsupported_compression_says_so(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    path.write_bytes(tiny_tiff(b"123456", compression=34712))
    with pytest.raises(ScanError, match=r"compression 34712.* not supported; convert it"):
        open_scan(path)


def put_pixels_last(path: Path) -> None:
    """Move the strips behind the tags, so that cutting the end off cuts pixels only."""
    with tifffile.TiffFile(path, mode="r+") as tif:
        tags, file = tif.pages[0].tags, tif.filehandle
        strips = []
        for offset, count in zip(tags[273].value, tags[279].value, strict=True):
            file.seek(offset)
            strips.append(file.read(count))
        starts = np.cumsum([file.size, *map(len, strips[:-1])])
        file.seek(file.size)
        file.write(b"".join(strips))
        tags[273].overwrite([int(start) for start in starts])


@pytest.mark.parametrize("compression", ["raw", "lzw", "deflate", "packbits", "group4", "jpeg"])
@pytest.mark.parametrize("one_strip", [False, True])
def test_truncated_tiff(
    tmp_path: Path, page: np.ndarray, compression: str, one_strip: bool
) -> None:
    """The good rows can be read and are right; the first damaged row is named."""
    path = tmp_path / "scan.tif"
    gray = np.where(page, 0, 255).astype(np.uint8)
    strip_rows = ROWS if one_strip else 10
    if compression == "group4":
        save_fax(path, page, compression, rows_per_strip=strip_rows)
        put_pixels_last(path)
    else:
        kind = None if compression == "raw" else compression
        tifffile.imwrite(path, gray, compression=kind, rowsperstrip=strip_rows,
                         photometric="minisblack")  # fmt: skip
        if compression == "jpeg":
            gray = read(path)
    data = path.read_bytes()
    with tifffile.TiffFile(path) as tif:
        first, bytes_of_pixels = tif.pages[0].dataoffsets[0], sum(tif.pages[0].databytecounts)
    path.write_bytes(data[: first + bytes_of_pixels // 2])
    with open_scan(path) as scan:
        good = good_rows(scan)
        assert good < ROWS
        if not one_strip or compression == "group4":
            assert good > 20
        assert np.array_equal(scan.read(0, good), gray[:good])
        for start, stop in ((0, ROWS), (good, good + 1)):
            with pytest.raises(ScanError, match=f"scan.tif: damaged from row {good} on: .*ends"):
                scan.read(start, stop)
        assert np.array_equal(scan.read(0, good), gray[:good])


@pytest.mark.parametrize("compression", ["group4", "group3", "tiff_ccitt"])
def test_a_fax_strip_of_which_nothing_is_there(
    tmp_path: Path, page: np.ndarray, compression: str
) -> None:
    path = tmp_path / "scan.tif"
    save_fax(path, page, compression, rows_per_strip=40)
    put_pixels_last(path)
    with tifffile.TiffFile(path) as tif:
        third = tif.pages[0].dataoffsets[2]
    path.write_bytes(path.read_bytes()[:third])
    with open_scan(path) as scan:
        assert np.array_equal(scan.read(0, 80), np.where(page[:80], 0, 255))
        with pytest.raises(ScanError, match=r"damaged from row 80 on: the file ends before"):
            scan.read(80, ROWS)


def test_damage_in_the_middle_spares_the_rest(tmp_path: Path, colours: np.ndarray) -> None:
    path = tmp_path / "scan.tif"
    gray = colours[..., 0]
    tifffile.imwrite(path, gray, compression="deflate", rowsperstrip=10, photometric="minisblack")
    with tifffile.TiffFile(path) as tif:
        start = tif.pages[0].dataoffsets[4]
    data = bytearray(path.read_bytes())
    data[start : start + 20] = b"\xff" * 20
    path.write_bytes(data)
    with open_scan(path) as scan:
        assert good_rows(scan) == 40
        assert np.array_equal(scan.read(0, 40), gray[:40])
        assert np.array_equal(scan.read(50, ROWS), gray[50:])
        with pytest.raises(ScanError, match="damaged from row 40 on"):
            scan.read(35, 60)


@pytest.mark.parametrize("tall", [False, True])
def test_fax_that_stops_early_is_damaged(
    tmp_path: Path, page: np.ndarray, tall: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invalid code ends decoding without an error; only the unread bytes tell."""
    if tall:
        monkeypatch.setattr(tiff_page, "SPILL_PIXELS", 1000)
    save_fax(tmp_path / "fax.tif", page, "group4", rows_per_strip=ROWS)
    data = fax_bytes(tmp_path / "fax.tif")
    cut = len(data) // 2
    data = data[:cut] + b"\0\0\0\0" + data[cut + 4 :]
    path = tmp_path / "scan.tif"
    path.write_bytes(tiny_tiff(data, bits=1, compression=4, photometric=0))
    with open_scan(path) as scan:
        assert 20 < good_rows(scan) < ROWS - 20
        assert np.array_equal(scan.read(0, 20), np.where(page[:20], 0, 255))
        with pytest.raises(ScanError, match="the fax data are damaged"):
            scan.read(0, ROWS)


def test_a_blank_end_is_no_damage(tmp_path: Path, page: np.ndarray) -> None:
    rng = np.random.default_rng(8)
    for blank_rows in (1, 3, 40, ROWS):
        page[ROWS - blank_rows :] = False
        page[max(0, ROWS - blank_rows - 2)] = rng.random(COLUMNS) < 0.5  # many changes of colour
        save_fax(tmp_path / "scan.tif", page, "group4", rows_per_strip=ROWS)
        assert np.array_equal(read(tmp_path / "scan.tif"), np.where(page, 0, 255))


def test_a_busy_row_before_a_blank_end_is_no_damage(tmp_path: Path) -> None:
    """Many codes after the last ink only pass over the row above: their loss changes nothing."""
    for width in range(9):  # so that the codes begin at every bit of a byte
        page = np.zeros((30, 600), bool)
        page[10, 3::5] = page[11, :width] = True
        save_fax(tmp_path / "scan.tif", page, "group4", rows_per_strip=30)
        assert np.array_equal(read(tmp_path / "scan.tif"), np.where(page, 0, 255))


def test_fax_rows_without_a_bit_are_damaged(tmp_path: Path) -> None:
    """A blank G4 row is one bit: ten bytes hold at most 80 rows, whatever the tags claim."""
    path = tmp_path / "scan.tif"
    path.write_bytes(tiny_tiff(b"\xff" * 10, bits=1, compression=4, rows=5000))
    with open_scan(path) as scan, pytest.raises(ScanError, match=r"scan\.tif: damaged"):
        scan.read(4000, 4001)


def test_a_million_missing_tiles_take_no_time(tmp_path: Path, colours: np.ndarray) -> None:
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, colours[..., 0], tile=(16, 16), compression="lzw")
    with tifffile.TiffFile(path, mode="r+") as tif:
        tags = tif.pages[0].tags
        tags[256].overwrite(2**21), tags[322].overwrite(1), tags[323].overwrite(1)
    with open_scan(path) as scan:
        assert scan.columns == 2**21 and good_rows(scan) == 0


def test_jpeg_strip_that_claims_more_than_its_page(tmp_path: Path, colours: np.ndarray) -> None:
    """The codec takes memory by the size in the JPEG: here 12 GB."""
    resource = pytest.importorskip("resource")
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, colours, photometric="rgb", compression="jpeg", rowsperstrip=ROWS)
    data = bytearray(path.read_bytes())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = (65000).to_bytes(2) * 2
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ScanError, match="a JPEG of 65000 x 65000"), open_scan(path) as scan:
        scan.read(0, 1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


# Fuzzing


def seeds(page: np.ndarray, colours: np.ndarray, folder: Path) -> list[bytes]:
    files: list[bytes] = []
    for options in (
        {"rowsperstrip": 16}, {"compression": "lzw"}, {"compression": "deflate", "predictor": 2},
        {"tile": (32, 32), "compression": "jpeg"}, {"tile": (16, 16), "bigtiff": True},
        {"compression": "packbits", "byteorder": ">"}, {"compression": "webp"},
        {"compression": "zstd"}, {"compression": "jpeg", "rowsperstrip": 32},
    ):  # fmt: skip
        file = io.BytesIO()
        tifffile.imwrite(file, colours, photometric="rgb", **options)
        files.append(file.getvalue())
    for stored in (page, colours[..., 0].astype(np.uint16), colours[..., 0].astype(np.float32)):
        file = io.BytesIO()
        tifffile.imwrite(file, stored, rowsperstrip=16)
        files.append(file.getvalue())
    for compression in ("group3", "group4", "tiff_ccitt"):
        save_fax(folder / "fax.tif", page, compression, rows_per_strip=40)
        files.append((folder / "fax.tif").read_bytes())
    for suffix in (".png", ".jpg"):
        files.append(cv2.imencode(suffix, colours)[1].tobytes())
    return files


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Change some bytes (mostly among the tags: at the start, or at the end), cut, or repeat."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        size = len(out)
        zone = rng.integers(4)
        at = int(rng.integers(size))
        if zone == 0:
            at = int(rng.integers(min(size, 300)))
        elif zone == 1:
            at = size - 1 - int(rng.integers(min(size, 300)))
        change = rng.integers(6)
        if change == 0:
            out[at] ^= 1 << rng.integers(8)
        elif change == 1:
            out[at] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF]))
        elif change == 2:
            out[at : at + 4] = int(rng.integers(2**32)).to_bytes(4, "little")
        elif change == 3:
            out[at : at + 2] = int(rng.integers(600)).to_bytes(2, "little")
        elif change == 4 and size > 20 and rng.random() < 0.2:
            del out[at:]
            if not out:
                out += b"I"
        else:
            out[at : at + 8] = b"\xff" * 8
    return bytes(out)


def fuzz(folder: Path, files: list[bytes], count: int, seed: int) -> tuple[int, float]:
    """Read mutated files whole; returns how many could be read, and the longest time in seconds."""
    rng = np.random.default_rng(seed)
    path = folder / "fuzz.tif"
    readable, longest = 0, 0.0
    for number in range(count):
        path.write_bytes(mutate(files[number % len(files)], rng))
        start = time.perf_counter()
        try:
            with open_scan(path) as scan:
                for row in range(0, min(scan.rows, 4096), 512):
                    stop = min(row + max(1, min(512, 2**24 // scan.columns)), scan.rows)
                    gray = scan.read(row, stop)
                    assert gray.dtype == np.uint8 and gray.shape == (stop - row, scan.columns)
                readable += 1
        except ScanError as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error)
        longest = max(longest, time.perf_counter() - start)
    return readable, longest


def test_fuzz(tmp_path: Path, page: np.ndarray, colours: np.ndarray) -> None:
    readable, longest = fuzz(tmp_path, seeds(page, colours, tmp_path), 200, seed=0)
    assert readable > 10  # else the mutations are so coarse that nothing behind is reached
    assert longest < 5


@pytest.mark.slow
def test_fuzz_10_000(tmp_path: Path, page: np.ndarray, colours: np.ndarray) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, longest = fuzz(tmp_path, seeds(page, colours, tmp_path), 10_000, seed=1)
    assert longest < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


# Masks


def write_mask(
    path: Path, bands: Iterable[Any], rows: int, columns: int, resolution: Any = None
) -> None:
    writer = MaskWriter(rows, columns)
    for band in bands:
        writer.put(band)
    write_file(path, writer.tiff(resolution))


@pytest.mark.parametrize("cuts", [[], [1], [128], [64, 200, 201, 300], [500]])
def test_a_mask_reads_back_exactly(tmp_path: Path, cuts: list[int]) -> None:
    mask = np.random.default_rng(6).integers(0, 256, (517, 33), dtype=np.uint8)
    path = tmp_path / "mask.tif"
    write_mask(path, np.split(mask, cuts), *mask.shape)
    assert np.array_equal(read(path), mask)
    with tifffile.TiffFile(path) as tif:
        tags = tif.pages[0]
        assert (tags.photometric, tags.compression, tags.bitspersample) == (1, 8, 8)
        assert np.array_equal(tags.asarray(), mask)


def test_writing_holds_no_picture(tmp_path: Path) -> None:
    """50 MB of mask in 20 MB of memory, through to the end of the file."""
    pytest.importorskip("resource")
    code = """
import resource, sys
from pathlib import Path
import numpy as np
from wellseg.scan.writer import MaskWriter, write_picture
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
band = np.zeros((256, 4000), np.uint8)
writer = MaskWriter(12_800, 4000)
for _ in range(50):
    writer.put(band)
Path(sys.argv[1]).write_bytes(writer.tiff())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "mask.tif")]
    repository = Path(__file__).parent.parent
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20_000  # kB


def test_big_masks_are_bigtiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    class Stop(Exception):
        pass

    def writer(file: Any, bigtiff: bool) -> Any:
        seen.append(bigtiff)
        raise Stop

    monkeypatch.setattr(tifffile, "TiffWriter", writer)
    for rows in (1000, 500_000):
        mask = MaskWriter(rows, 10_000)
        with pytest.raises(Stop):
            write_file(tmp_path / "mask.tif", mask.tiff())
    assert seen == [False, True]


def test_importing_loads_no_torch() -> None:
    code = (
        "import sys, wellseg.scan.reader; sys.exit('torch' in sys.modules or 'PIL' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, check=True)


@pytest.mark.parametrize(
    "paper", [(235, 215, 160), (225, 195, 115), (250, 230, 100), (200, 220, 245)]
)
def test_tinted_paper_is_white_and_ink_has_the_colour_that_it_has_on_white(paper, tmp_path):
    """A yellowed sheet, scanned in colours; what is drawn on it in black alone is gray."""
    sheet = np.full((400, 300, 3), 255, np.uint8)
    sheet[::40], sheet[:, 100:104], sheet[:, 200:204] = 150, (0, 0, 0), (30, 160, 40)
    plain = sheet.copy()
    plain[:, 200:204] = 255
    for name, picture, kind in (("inks", sheet, "colour"), ("black", plain, "gray")):
        tinted = np.rint(picture * (np.array(paper) / 255)).astype(np.uint8)
        tifffile.imwrite(tmp_path / f"{name}.tif", tinted, photometric="rgb")
        with open_scan(tmp_path / f"{name}.tif", colour=True) as scan:
            assert scan.kind == kind
            shown = scan.read(0, 400)
        wanted = picture if kind == "colour" else to_gray(picture)
        assert abs(shown.astype(int) - wanted).max() <= 3
    with open_scan(tmp_path / "inks.tif", colour="any") as scan:
        assert scan.read(1, 2)[0, 0].tolist() == list(paper), "as it is stored"


def test_a_yellowed_sheet_of_black_print_is_gray_though_it_is_noisy(tmp_path):
    """JPEG, grain and uneven light: taken for colours, half of its mask was false."""
    rng, sheet = np.random.default_rng(0), np.full((600, 400, 1), 255.0)
    sheet[::40], sheet[:, 100:104] = 0, 0
    for paper, ink in (((245, 236, 218), (60, 50, 45)), ((214, 186, 126), (70, 50, 35))):
        light = cv2.resize(rng.normal(0, 5, (6, 6)), (400, 600))[..., None]
        tinted = np.array(ink) + sheet / 255 * np.subtract(paper, ink) + light
        noisy = (tinted + rng.normal(0, 4, tinted.shape)).clip(0, 255).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "a.jpg"), noisy[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
        with open_scan(tmp_path / "a.jpg", colour=True) as scan:
            assert scan.kind == "gray"
            assert np.median(scan.read(0, 600)) > 245


def test_dark_gray_paper_is_white_and_a_gray_picture_is_read_as_it_is(tmp_path):
    """Of paper as dark as 150 a third of a mask was false."""
    rng = np.random.default_rng(0)
    sheet = np.full((600, 400), 150.0)
    sheet[::40], sheet[:, 100:104] = 60, 60
    dark = (sheet + rng.normal(0, 4, sheet.shape)).clip(0, 255).astype(np.uint8)
    picture = np.tile(np.arange(250, dtype=np.uint8), (600, 2))
    for name, pixels in (("gray", dark), ("colours", np.dstack([dark] * 3)), ("picture", picture)):
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels)
        with open_scan(tmp_path / f"{name}.tif", colour=True) as scan:
            shown, kind = scan.read(0, 600), scan.kind
        assert kind == "gray"
        if name == "picture":
            assert (shown == pixels).all()
        else:
            assert np.median(shown) >= 253
            assert abs(np.median(shown[:, 100:104]) - 60 * 255 / 150) <= 2
    with open_scan(tmp_path / "gray.tif") as scan:
        assert (scan.read(0, 600) == dark).all(), "as it is stored"


def test_a_picture_on_a_dark_or_coloured_ground_is_read_as_it_is(tmp_path):
    for ground in ((0, 0, 128), (120, 60, 20), (240, 240, 235)):
        sheet = np.full((400, 300, 3), ground, np.uint8)
        sheet[:, 100:104] = 255, 255, 0
        tifffile.imwrite(tmp_path / "a.tif", sheet, photometric="rgb")
        with open_scan(tmp_path / "a.tif", colour=True) as scan:
            assert (scan.read(0, 400) == sheet).all()
