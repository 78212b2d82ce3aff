"""What is wrong with a data set's masks is told before the first step, all of it at once."""

import json

import cv2
import numpy as np
import pytest
import tifffile

from wellseg.training.dataset import open_logs, pick_crop
from wellseg.training.masks import read_label, read_mask
from wellseg.training.options import DataConfig


def change(data_set, change, *names):
    for name in names:
        path = data_set / "masks" / f"{name}_a.tif"
        mask = change(tifffile.imread(path))
        tifffile.imwrite(path, mask, photometric="rgb" if mask.ndim == 3 else None)


def open_data(data_set, **options):
    return open_logs(DataConfig(root=data_set, **options), seed=0, keep="best")


def as_red(mask):
    return np.stack([mask, np.zeros_like(mask), np.zeros_like(mask)], axis=-1)


def with_a_red_mark(mask):
    colours = np.stack([mask] * 3, axis=-1)
    colours[0, :2] = 255, 0, 0
    return colours


FAULTS = {
    "its curves are 1 in 255": lambda mask: mask // 255,
    "save it without anti-aliasing": lambda mask: cv2.blur(mask, (3, 3)),
    "in colour; save it as gray": as_red,
    "its curves are 1 in 255: save it with 8 bits": lambda mask: (mask // 255).astype(np.uint16),
    "most of it is curve: inverted?": lambda mask: 255 - mask,
    "has 5 x 5 pixels": lambda mask: mask[:5, :5],
}


def test_a_mask_of_curve_and_unscored_pixels_alone_is_no_inverted_one(tmp_path):
    mask = np.full((40, 40), 128, np.uint8)
    mask[:, 7:10] = 255
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.tif"), mask)


@pytest.mark.parametrize("said", FAULTS)
def test_a_mask_that_would_teach_nonsense_is_refused(data_set, said):
    change(data_set, FAULTS[said], "well1")
    with pytest.raises(
        ValueError, match=r"^1 of 6 logs cannot be used: \S*masks[/\\]well1_a\.tif: "
    ) as error:
        open_data(data_set)
    assert said in str(error.value) and "\n" not in str(error.value)
    if "pixels" not in said:  # read_mask has no image to compare it with
        with pytest.raises(ValueError, match=r"well1_a\.tif: ") as error:
            read_mask(data_set / "masks" / "well1_a.tif")
        assert said in str(error.value)


def test_a_mask_with_a_small_mark_in_colour_is_refused(data_set):
    change(data_set, with_a_red_mark, "well1")
    with pytest.raises(ValueError, match=r"well1_a\.tif: in colour; save it as gray"):
        open_data(data_set)


def test_all_bad_masks_are_named_at_once(data_set):
    """Of both splits."""
    for number, fault in enumerate(FAULTS.values()):
        change(data_set, fault, f"well{number}")
    with pytest.raises(ValueError, match=r"^6 of 6 logs cannot be used: ") as error:
        open_data(data_set)
    said = str(error.value)
    assert all(f"well{number}_a.tif" in said for number in range(6))
    assert all(fault in said for fault in FAULTS)


def test_a_damaged_mask_ends_a_run_before_it_begins(data_set):
    path = data_set / "masks" / "well1_a.tif"
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ValueError, match=r"^1 of 6 logs cannot be used: .*well1_a\.tif: damaged"):
        open_data(data_set)


@pytest.mark.parametrize(
    "fault",
    [
        {"region": [0, 10**30, 0, 5]},
        {"region": []},
        {"region": [0, 1, 0, 1, 0, 1, 0, 1]},
        {"whole": [{"path": [[int("9" * 400), 1], [1, 2]]}]},
        {"whole": [{"path": [[1, 1], [1, 2]], "width": None}]},
        {"whole": [{"path": [[1, 1], [1, 2]], "width": "x"}]},
        {"whole": [{"path": [[1, 1], [1, 2]], "width": float("nan")}]},
        {"curves": [{"path": [[1, 1], [1, 2]], "width": -9}]},
    ],
    ids=str,
)
def test_a_label_that_cannot_be_scored_is_named(tmp_path, fault):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"whole": []} | fault))
    with pytest.raises(
        ValueError, match=r"a\.json: not a label file with curves and paths"
    ) as error:
        read_label(path, (9, 9))
    assert len(str(error.value)) < 700


def test_a_label_may_have_its_parts_alone(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"ignore": [[0, 3, 0, 9]]}')
    assert read_label(path, (9, 9)).centreline is None
    path.write_text("{}")
    with pytest.raises(ValueError, match="not a label file"):
        read_label(path, (9, 9))


TRAINED = [f"well{number}" for number in range(5)]


@pytest.mark.parametrize(
    ("value", "names", "said"),
    [
        (0, TRAINED, r"split train: no curve \(255\) in its 5 masks"),
        (128, TRAINED, r"split train: no curve \(255\) in its 5 masks"),
        (0, ["well5"], r"split val: no curve \(255\) in its 1 masks"),
    ],
)
def test_a_split_without_curves_is_refused(data_set, value, names, said):
    change(data_set, lambda mask: np.full_like(mask, value), *names)
    with pytest.raises(ValueError, match=said):
        open_data(data_set)


def test_logs_of_one_well_are_told_how_to_be_divided(data_set):
    (data_set / "split.csv").unlink()
    for file in [*data_set.rglob("*.tif")]:
        file.rename(file.with_name(file.name.replace("well", "well_")))
    with pytest.raises(ValueError, match=r"split val: no log is in it; .* split\.csv"):
        open_data(data_set)


def test_logs_without_curves_are_named_and_those_without_scored_pixels_left_out(data_set):
    change(data_set, np.zeros_like, "well1")
    change(data_set, lambda mask: np.full_like(mask, 128), "well3")
    train, _, warnings = open_data(data_set)
    assert [log.name for log in train.files] == [f"well{n}_a" for n in (0, 1, 2, 4)]
    unscored, empty, few = warnings
    assert "left out, nothing in their masks is scored: well3_a" in unscored
    assert "no curve (255) in the masks of well1_a" in empty and "well3" not in empty
    assert "chosen by 1 validation log" in few


def test_masks_without_an_image_are_told(data_set):
    for name in ("well4", "well2"):
        next((data_set / "images").glob(f"{name}*")).unlink()
    table = data_set / "split.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(it for it in lines if not it.startswith(("well4", "well2"))))
    mask = data_set / "masks" / "well2_a.tif"
    mask.rename(mask.with_name("well2_a.mask.tif"))  # as predict names them
    assert "left out, 2 masks have no image: well2_a; well4_a" in open_data(data_set)[2]


def test_options_of_drawn_logs_that_are_not_used_are_told(data_set):
    told = "of drawn logs alone, not used: --data."
    given = {"count": 9, "preset": "tiny"}
    assert f"{told}count, --data.preset" in open_data(data_set, **given)[2]
    assert f"{told}count" in open_data(data_set, **given, drawn_share=0.5)[2]
    assert not any(told in it for it in open_data(data_set)[2])


def test_every_crop_holds_scored_pixels(data_set):
    def hide(mask):
        mask = mask.copy()
        mask[:-8] = 128
        return mask

    change(data_set, hide, *TRAINED)
    samples = open_data(data_set, crop_rows=16, augment=False)[0]
    crops = [samples[epoch, index] for epoch in range(12) for index in range(5)]
    assert all((crop.truth != 128).any() for crop in crops)
    assert len({crop.channels.numpy().tobytes() for crop in crops[::5]}) > 1  # and not one alone


def test_where_all_is_scored_all_crops_are_equally_likely():
    draws = np.random.default_rng(0)
    scored, unscored = np.zeros((12, 4), np.uint8), np.full((12, 4), 128, np.uint8)
    starts = [pick_crop(scored, 8, draws)[0] for _ in range(2000)]
    assert np.bincount(starts) == pytest.approx([400] * 5, abs=90)
    assert pick_crop(unscored, 8, draws)[1] <= 12  # a drawn log's, all of it
    assert pick_crop(scored, None, draws) == (0, 12)
