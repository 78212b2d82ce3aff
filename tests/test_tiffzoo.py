"""Odd TIFF files. Twins of what other projects' test suites hold are written here, byte by byte;
those files themselves, and real scans, lie beside the repository on the developers' machines."""

import json
import re
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from test_scan import save_fax, tiny_tiff

from wellseg.scan import ScanError
from wellseg.scan.reader import open_scan, pages_of

REPOSITORY = Path(__file__).parent.parent
ZOO = REPOSITORY.parent / "shared" / "tiffzoo"
SCANS = REPOSITORY.parent / "shared" / "real" / "scans"


GRAY = np.arange(60 * 40, dtype=np.uint32).reshape(60, 40).astype(np.uint8)
BILEVEL = GRAY % 7 > 2


def zoo() -> list[Any]:
    manifest = ZOO / "manifest.json"
    entries = json.loads(manifest.read_text())["files"] if manifest.exists() else []
    return [pytest.param(entry, id=entry["file"]) for entry in entries]


def write_pages(path: Path, *pages: np.ndarray) -> list[int]:
    """A page for each, and where in the file each says which page comes next."""
    with tifffile.TiffWriter(path) as writer:
        for page in pages:
            writer.write(page, photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path) as tif:
        return [page.offset + 2 + 12 * len(page.tags) for page in tif.pages]


def patch(path: Path, at: int, value: int) -> None:
    data = bytearray(path.read_bytes())
    data[at : at + 4] = value.to_bytes(4, "little")
    path.write_bytes(data)


def first_directory(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[4:8], "little")


@pytest.mark.parametrize("at", range(40))
def test_a_deflated_strip_with_a_flipped_bit_gives_no_wrong_pixel(tmp_path: Path, at: int) -> None:
    path, draws = tmp_path / "scan.tif", np.random.default_rng(at)
    pixels = (draws.integers(0, 12, (64, 400)) > 0) * np.uint8(255)
    tifffile.imwrite(path, pixels, compression="deflate", rowsperstrip=64)
    with tifffile.TiffFile(path) as tif:
        (begin,), (count,) = tif.pages[0].dataoffsets, tif.pages[0].databytecounts
    data = bytearray(path.read_bytes())
    data[begin + 2 + int(draws.integers(count - 6))] ^= 1 << int(draws.integers(8))
    path.write_bytes(data)
    with open_scan(path) as scan, pytest.raises(ScanError, match="damaged from row 0 on"):
        scan.read(0, 64)


@pytest.mark.parametrize("bilevel", [False, True])
def test_without_a_photometric_ink_is_what_libtiff_takes_for_it(
    tmp_path: Path, bilevel: bool
) -> None:
    path = tmp_path / "scan.tif"
    if bilevel:
        save_fax(path, BILEVEL, "group4")
    else:
        tifffile.imwrite(path, GRAY, photometric="minisblack", metadata=None)
    with open_scan(path) as scan:
        before = scan.read(0, scan.rows)
    data = path.read_bytes()
    tag = (262).to_bytes(2, "little") + (3).to_bytes(2, "little")
    assert data.count(tag) == 1
    other = (65_000).to_bytes(2, "little") + (3).to_bytes(2, "little")
    path.write_bytes(data.replace(tag, other))  # out of order, which readers take
    with open_scan(path) as scan:
        np.testing.assert_array_equal(scan.read(0, scan.rows), before)


@pytest.mark.parametrize("back_to", [0, 1])
def test_pages_in_a_circle(tmp_path: Path, back_to: int) -> None:
    path = tmp_path / "scan.tif"
    following = write_pages(path, GRAY, GRAY[::-1])
    second = int.from_bytes(path.read_bytes()[following[0] : following[0] + 4], "little")
    patch(path, following[1], [first_directory(path), second][back_to])
    assert pages_of(path) == ([1], [])
    for number, pixels in enumerate((GRAY, GRAY[::-1])):
        with open_scan(path, number) as scan:
            assert np.array_equal(scan.read(0, 60), pixels)


def test_pages_out_of_order(tmp_path: Path) -> None:
    """The second page of the file comes first."""
    path = tmp_path / "scan.tif"
    following = write_pages(path, GRAY, GRAY[::-1])
    first = first_directory(path)
    second = int.from_bytes(path.read_bytes()[following[0] : following[0] + 4], "little")
    for at, value in ((4, second), (following[1], first), (following[0], 0)):
        patch(path, at, value)
    with open_scan(path, 0) as scan:
        assert scan.pages == 2 and np.array_equal(scan.read(0, 60), GRAY[::-1])


@pytest.mark.parametrize("offset", [0, 10**6, 2**32 - 2])
def test_a_page_that_is_nowhere(tmp_path: Path, offset: int) -> None:
    path = tmp_path / "scan.tif"
    write_pages(path, GRAY)
    patch(path, 4, offset)
    with pytest.raises(ScanError, match=r"scan\.tif: "):
        open_scan(path)
    following = write_pages(path, GRAY, GRAY)
    patch(path, following[0], offset)
    with open_scan(path) as scan:  # the first page is whole
        assert np.array_equal(scan.read(0, 60), GRAY)


@pytest.mark.parametrize("tag, value", [(256, 0), (257, 0), (277, 0), (258, 0), (256, 2**31),
                                        (258, 999), (262, 4711), (273, 2**31)])  # fmt: skip
def test_tags_that_cannot_be(tmp_path: Path, tag: int, value: int) -> None:
    path = tmp_path / "scan.tif"
    data = tiny_tiff(GRAY.tobytes(), rows=60, columns=40)
    at = data.index(tag.to_bytes(2, "little"), len(GRAY.tobytes()))
    path.write_bytes(data[: at + 8] + value.to_bytes(4, "little") + data[at + 12 :])
    with pytest.raises(ScanError, match=r"scan\.tif: "), open_scan(path) as scan:
        scan.read(0, 1)


def test_deflated_strips_that_hold_more_than_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    data = zlib.compress(GRAY.tobytes() + b"more" * 99)
    path.write_bytes(tiny_tiff(data, compression=8, rows=60, columns=40))
    with open_scan(path) as scan:
        assert np.array_equal(scan.read(0, 60), GRAY)
    data = zlib.compress(GRAY.tobytes() + bytes(200_000_000))  # 200 kB in the file
    path.write_bytes(tiny_tiff(data, compression=8, rows=60, columns=40))
    read_with_mb(path, 40)


@pytest.mark.parametrize("compression", [None, "lzw", "deflate"])
def test_subsampling_is_of_ycbcr_alone(tmp_path: Path, compression: str | None) -> None:
    """Converters leave its tag where they make RGB of YCbCr; libtiff passes it by."""
    path, rgb = tmp_path / "scan.tif", np.dstack([GRAY, GRAY[::-1], GRAY[:, ::-1]])
    more = [(530, 3, 2, (2, 2), True)]
    tifffile.imwrite(path, rgb, photometric="rgb", compression=compression, extratags=more)
    with open_scan(path, colour="any") as scan:
        assert np.array_equal(scan.read(0, 60), rgb)


@pytest.mark.parametrize("value", [0, 3])
def test_a_planar_configuration_that_is_none(tmp_path: Path, value: int) -> None:
    """libtiff refuses it; the first third of each strip was read as gray."""
    path, rgb = tmp_path / "scan.tif", np.dstack([GRAY, GRAY[::-1], GRAY[:, ::-1]])
    tifffile.imwrite(path, rgb, photometric="rgb", planarconfig="contig", rowsperstrip=20)
    with tifffile.TiffFile(path) as tif:
        at = tif.pages[0].tags[284].offset
    patch(path, at + 8, value)
    with (
        pytest.raises(ScanError, match=r"its planes .* damaged"),
        open_scan(path, colour="any") as scan,
    ):
        scan.read(0, 60)


@pytest.mark.parametrize("kind, bits", [(6, 64), (5, 32), (1, (5, 6, 5))])
def test_samples_that_are_no_gray_are_not_supported(tmp_path: Path, kind: int, bits: Any) -> None:
    """Complex numbers were read by their real part, with a warning of NumPy's."""
    path, samples = tmp_path / "scan.tif", 3 if isinstance(bits, tuple) else 1
    more = [(339, 3, kind)]
    data = tiny_tiff(bytes(60 * 40 * 8), bits=16, rows=60, columns=40, more=more)
    if samples == 3:  # three shorts lie elsewhere: at the first pixels
        data = b"".join(value.to_bytes(2, "little") for value in bits).join([data[:8], data[14:]])
        data = data.replace(b"\2\1\3\0\1\0\0\0\x10", b"\2\1\3\0\3\0\0\0\x08")
        data = data.replace(b"\x15\1\3\0\1\0\0\0\1", b"\x15\1\3\0\1\0\0\0\3")
    else:
        data = data.replace(b"\2\1\3\0\1\0\0\0\x10", b"\2\1\3\0\1\0\0\0" + bytes([bits]))
    path.write_bytes(data)
    said = re.escape(f"{samples} samples of {bits} bits: not supported")
    with pytest.raises(ScanError, match=said), open_scan(path) as scan:
        scan.read(0, 60)


def test_an_offset_that_no_file_reaches(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, GRAY, photometric="minisblack", bigtiff=True)
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[0].tags[273].overwrite(2**63 + 8)
    with open_scan(path) as scan, pytest.raises(ScanError, match="row 0 on: the file ends before"):
        scan.read(0, 60)


def test_bytes_for_a_width_take_no_memory(tmp_path: Path) -> None:
    """They were repeated as often as the picture has rows: here for 2 GB."""
    path = tmp_path / "scan.tif"
    data = tiny_tiff(GRAY.tobytes(), rows=2**29, columns=int.from_bytes(b"wide", "little"))
    tag, count = (256).to_bytes(2, "little"), (1).to_bytes(4, "little")
    wrong = tag + (7).to_bytes(2, "little") + (4).to_bytes(4, "little")
    path.write_bytes(data.replace(tag + (4).to_bytes(2, "little") + count, wrong))
    code = (
        "import resource, sys\nfrom wellseg.scan.reader import open_scan\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**31,) * 2)\n"
        "try:\n    open_scan(sys.argv[1])\nexcept Exception as error:\n    print(error)"
    )
    pytest.importorskip("resource")
    command = [sys.executable, "-c", code, str(path)]
    said = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    assert "damaged or not a picture" in said.stdout and "memory" not in said.stdout, said


@pytest.mark.parametrize("orientation", [3, 8])
@pytest.mark.parametrize("compression", ["group4", "group3", "tiff_ccitt", "tiff_lzw"])
def test_turned_1_bit_scans(tmp_path: Path, compression: str, orientation: int) -> None:
    path = tmp_path / "scan.tif"
    save_fax(path, BILEVEL, compression, rows_per_strip=7)
    with tifffile.TiffFile(path, mode="r+") as tif:
        tags = tif.pages[0].tags
        tag = tags.get(274) or tags[296]  # Pillow writes no orientation: where the unit stood
        tif.filehandle.seek(tag.offset)
        tif.filehandle.write((274).to_bytes(2, "little") + (3).to_bytes(2, "little"))
        tif.filehandle.write((1).to_bytes(4, "little") + orientation.to_bytes(4, "little"))
    with open_scan(path) as scan:
        assert scan.orientation == orientation and scan.kind == "1-bit"
        assert np.array_equal(scan.read(0, 60), np.where(BILEVEL, 0, 255))


@pytest.mark.parametrize("compression", [5, 7, 8, 32773, 34925, 50000, 50001, 4, 3, 2])
def test_strips_of_noise(tmp_path: Path, compression: int) -> None:
    path = tmp_path / "scan.tif"
    noise = np.random.default_rng(compression).integers(0, 256, 500, np.uint8).tobytes()
    bits = 1 if compression < 5 else 8
    path.write_bytes(tiny_tiff(noise, bits=bits, compression=compression, rows=60, columns=900))
    with pytest.raises(ScanError, match=r"scan\.tif: damaged from row \d+ on"):
        with open_scan(path) as scan:
            scan.read(0, 60)


@pytest.mark.skipif(not ZOO.is_dir(), reason="no shared scans")
@pytest.mark.parametrize("entry", zoo())
def test_zoo(entry: dict[str, Any]) -> None:
    path = ZOO / entry["file"]
    if entry["expect"] == "must_error":
        with pytest.raises(ScanError, match=entry["file"]), open_scan(path) as scan:
            scan.read(0, scan.rows)
        return
    with open_scan(path, page=0) as scan:
        if entry["expect"] == "reads_but_damaged":
            # Corrupt G4, which no library reports.
            assert len(scan.read(0, 1)) == 1
            with pytest.raises(ScanError, match=r"damaged from row \d+ on"):
                scan.read(0, scan.rows)
            return
        upright = (scan.columns, scan.rows)
        size = upright if scan.orientation < 5 else upright[::-1]
        if entry["pillow_size"]:
            assert size == tuple(entry["pillow_size"])
        if entry["width"]:
            assert upright == (entry["width"], entry["height"])
        if entry["pages"]:
            assert scan.pages == entry["pages"]
        gray = scan.read(0, scan.rows)
        if entry["pillow_mean_luma"] is not None:
            with open_scan(path, colour="any", page=0) as shown:
                pixels = shown.read(0, shown.rows).astype(float)
            # In whole numbers, as Pillow has it.
            luma = np.rint(pixels @ (0.299, 0.587, 0.114)) if pixels.ndim == 3 else pixels
            assert luma.mean() == pytest.approx(entry["pillow_mean_luma"], abs=0.05)
        else:
            assert 10 < gray.mean() < 245


@pytest.mark.skipif(not SCANS.is_dir(), reason="no shared scans")
@pytest.mark.parametrize("path", [
    pytest.param(path, id=path.name) for path in sorted(SCANS.glob("*.tif"))
])  # fmt: skip
def test_real_scans_open(path: Path) -> None:
    with open_scan(path) as scan:
        assert scan.rows > 5000 and 400 < scan.columns < 4000
        assert scan.dpi is not None and 50 < scan.dpi < 500
        if path.name == "AHB57.tif":  # takes two seconds: see below
            return
        places = [0, scan.rows // 2, scan.rows - 400]
        bands = [scan.read(start, start + 400) for start in places]
        assert all(band.shape == (400, scan.columns) for band in bands)
        gray = np.concatenate(bands)
        assert np.median(gray) > 127  # mostly paper
        assert gray.min() < 80  # and some ink


READ_ALL = """
import resource, sys
from wellseg.scan.reader import open_scan

used = next(line for line in open("/proc/self/status") if line.startswith("VmData"))
limit = int(used.split()[1]) * 1024 + int(sys.argv[2]) * 2**20
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))  # files that are mapped do not count
with open_scan(sys.argv[1]) as scan:
    for row in range(0, scan.rows, 1024):
        scan.read(row, min(row + 1024, scan.rows))
"""


def read_with_mb(path: Path, limit_mb: int) -> None:
    if sys.platform != "linux":
        pytest.skip("needs Linux")
    command = [sys.executable, "-c", READ_ALL, str(path), str(limit_mb)]
    subprocess.run(command, cwd=REPOSITORY, check=True)


def test_memory_is_bounded_on_a_tall_fax_strip(tmp_path: Path) -> None:
    """80 Mpx in one strip, which libtiff decodes to one byte a pixel."""
    blank_rows = b"\xff" * 10_000  # of one bit each
    path = tmp_path / "scan.tif"
    path.write_bytes(
        tiny_tiff(blank_rows, bits=1, compression=4, photometric=0, rows=80_000, columns=1000)
    )
    read_with_mb(path, 40)


@pytest.mark.slow
@pytest.mark.parametrize("name, limit_mb", [("AHB57.tif", 120), ("30-025-12481_0809.tif", 40)])
def test_memory_is_bounded_on_the_tallest_scans(name: str, limit_mb: int) -> None:
    """578 Mpx in one G4 strip, and 628 Mpx in 6,528."""
    if not (SCANS / name).exists():
        pytest.skip("no shared scans")
    read_with_mb(SCANS / name, limit_mb)
