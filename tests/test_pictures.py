"""What people look at: rows turned upright, curves painted over the paper."""

import cv2
import numpy as np
import pytest

from wellseg.scan.pictures import encode_png, is_sideways, paint, to_channels, to_gray, upright

SEEN = np.arange(12, dtype=np.uint8).reshape(3, 4)

# How each orientation stores what is seen, from the table of the TIFF 6.0 specification, page 36:
# where row 0 and column 0 of the file lie in the picture.
STORED = {
    1: SEEN,  # row 0 at the top, column 0 at the left
    2: SEEN[:, ::-1],  # top, right
    3: SEEN[::-1, ::-1],  # bottom, right
    4: SEEN[::-1],  # bottom, left
    5: SEEN.T,  # left, top
    6: SEEN.T[::-1],  # right, top
    7: SEEN.T[::-1, ::-1],  # right, bottom
    8: SEEN.T[:, ::-1],  # left, bottom
}


@pytest.mark.parametrize("orientation", STORED)
def test_rows_are_turned_upright(orientation: int) -> None:
    stored = STORED[orientation]
    assert np.array_equal(upright(stored, orientation), SEEN)
    assert np.array_equal(upright(stored[..., None], orientation), SEEN[..., None])  # colour
    assert is_sideways(orientation) == (stored.shape != SEEN.shape)


def test_curves_are_painted_and_png_keeps_the_colours() -> None:
    gray = np.array([[0, 255, 255, 255, 255]], np.uint8)
    mask = np.array([[0, 255, 0, 255, 255]], np.uint8)
    plain = paint(gray, mask)
    assert plain[0, 1].tolist() == plain[0, 3].tolist() != plain[0, 2].tolist()
    read = cv2.imdecode(np.frombuffer(encode_png(plain), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.array_equal(read, plain)


def test_a_network_sees_gray_and_of_colours_two_differences() -> None:
    gray = np.array([[0, 100, 255]], np.uint8)
    assert np.array_equal(to_channels(gray), gray[None])
    inks = [(120, 120, 120), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    rgb = np.array([inks], np.uint8)
    ink, red, yellow = to_channels(rgb)
    assert np.array_equal(ink, to_gray(rgb))
    assert np.allclose(red, [[128, 255, 0, 128, 128]], atol=1)
    assert np.allclose(yellow, [[128, 192, 192, 0, 255]], atol=1)
