"""Logs one at a time: sizes kept, draws reproducible, order resumable."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
import torch
from torch.utils.data import DataLoader

from wellseg.corpus import kind_of
from wellseg.training.data_folder import list_logs
from wellseg.training.dataset import VisitSampler, augment, open_logs
from wellseg.training.options import DataConfig


def train_logs(seed=0, **options):
    drawn = {"preset": "tiny"} if "root" not in options or "drawn_share" in options else {}
    return open_logs(DataConfig(**drawn, **options), seed, "best")[0]


def test_every_log_keeps_its_own_size(data_set):
    samples = train_logs(root=data_set)
    sizes = [samples[0, i].channels.shape for i in range(len(samples))]
    assert sizes == [(1, 1, 72 + 13 * i, 64 + 7 * i) for i in range(5)]


def test_results_of_predict_among_the_images_are_no_logs(data_set):
    before = list_logs(data_set)
    for ending in (".mask.tif", ".overlay.png", ".probability.tif"):
        (data_set / "images" / f"{before[0].name}{ending}").touch()
    assert list_logs(data_set) == before


def test_a_coloured_log_has_its_colours_beside_its_ink(data_set):
    rgb = np.full((72, 64, 3), 255, np.uint8)
    rgb[:, 30:33] = 255, 0, 0
    tifffile.imwrite(next((data_set / "images").glob("*")), rgb, photometric="rgb")
    for varied in (False, True):
        samples = train_logs(root=data_set, augment=varied)
        counts = Counter(samples[0, i].channels.shape[1] for i in range(len(samples)))
        assert counts == {1: 4, 3: 1}


def test_a_crop_takes_rows_at_full_width_and_the_mask_with_them(data_set):
    samples = train_logs(root=data_set, crop_rows=40, augment=False)
    whole = train_logs(root=data_set, augment=False)[0, 3]
    starts = set()
    for epoch in range(6):
        crop = samples[epoch, 3]
        assert crop.channels.shape == crop.truth.shape == (1, 1, 40, whole.channels.shape[3])
        fits = [
            start
            for start in range(whole.channels.shape[2] - 39)
            if torch.equal(whole.channels[:, :, start : start + 40], crop.channels)
            and torch.equal(whole.truth[:, :, start : start + 40], crop.truth)
        ]
        assert fits
        starts.add(fits[0])
    assert len(starts) > 1


@pytest.mark.slow
def test_samples_are_the_same_in_a_process_of_their_own(data_set):
    samples = train_logs(3, root=data_set, drawn_share=0.4)
    visits = [(epoch, index) for epoch in (0, 1) for index in (2, 0, 6)]
    worker = DataLoader(
        samples, None, sampler=visits, num_workers=1, multiprocessing_context="spawn"
    )
    for visit, together in zip(visits, worker, strict=True):
        alone = samples[visit]
        assert alone.name == together.name
        assert all(map(torch.equal, alone[:2], together[:2]))


@pytest.mark.parametrize("medium", ["bilevel", "colour"])
def test_drawn_logs_are_of_the_medium_that_is_asked_for(medium):
    train, val, _ = open_logs(DataConfig(preset="tiny", medium=medium, augment=False), 0, "best")
    for samples in (train, val):
        logs = [samples[epoch, index] for epoch in (0, 1) for index in range(6)]
        assert len({log.name for log in logs}) == 12
        for log in logs:
            number = int(log.name.rpartition("-")[2])
            assert kind_of(samples.seed, number, "tiny") == medium


def test_own_logs_come_once_an_epoch_with_drawn_ones_beside_them(data_set):
    options = DataConfig(data_set, "tiny", drawn_share=0.6, augment=False)
    logs, val, _ = open_logs(options, 3, "best")
    names = [[logs[epoch, i].name for i in range(13)] for epoch in (0, 1)]
    assert len(logs) == 13 and names[0][:5] == names[1][:5] == [f"well{n}_a" for n in range(5)]
    assert not set(names[0][5:]) & set(names[1]), "drawn logs are new in each epoch"
    assert [log.name for log in val.files] == ["well5_a"] and not val.drawn


def test_epochs_augment_differently(data_set):
    samples = train_logs(root=data_set)
    assert len({samples[epoch, 0].channels.numpy().tobytes() for epoch in range(4)}) > 1


def test_a_one_bit_log_stays_one_bit_and_a_gray_one_gray():
    draws = np.random.default_rng(0)
    gray = draws.integers(0, 256, (60, 50)).astype(np.uint8)
    mask = (gray < 60).astype(np.uint8) * 255
    for seed in range(12):
        image, varied = augment(np.where(gray > 99, 255, 0).astype(np.uint8), mask, seed)
        assert set(np.unique(image)) <= {0, 255} and set(np.unique(varied)) <= {0, 255}
    assert any(len(np.unique(augment(gray, mask, seed)[0])) > 50 for seed in range(3))


@pytest.mark.parametrize("paper", [255, 240])
def test_image_and_mask_move_together(paper, monkeypatch):
    """A curve alone on paper, in a corner, stays under its mask, whatever the geometry."""
    monkeypatch.setattr("wellseg.training.dataset.seam", lambda *_: None)
    gray = np.full((200, 120), paper, np.uint8)
    gray[30:130, 20:27] = gray[123:130, 20:70] = 0
    mask = np.uint8(255) * (gray == 0)
    places = set()
    for seed in range(40):
        image, varied = augment(gray, mask, seed)
        ink, curve = image < 128, varied > 0
        assert (ink & curve).sum() > 0.85 * (ink | curve).sum(), seed
        places.add(tuple(np.argwhere(ink).mean(0) // 20))
    assert len(places) >= 4, "it is not moved"


def test_some_scans_of_paper_get_a_seam_of_a_film_and_keep_their_mask(monkeypatch):
    gray = np.full((300, 200), 255, np.uint8)
    gray[:, 100:106] = 0
    with_seams = [augment(gray, 255 - gray, seed) for seed in range(40)]
    monkeypatch.setattr("wellseg.training.dataset.seam", lambda *_: None)
    without = [augment(gray, 255 - gray, seed) for seed in range(40)]
    pairs = zip(with_seams, without, strict=True)
    differ = [(one != other).mean() for (one, mask), (other, same) in pairs if (mask == same).all()]
    assert len(differ) == 40 and 2 < sum(share > 0 for share in differ) < 12 and max(differ) > 0.02


def test_pure_colours_stay_and_get_no_seam(monkeypatch):
    """A render in red, green and blue alone has only 0 and 255, as a 1-bit scan."""
    monkeypatch.setattr("wellseg.training.dataset.seam", None)
    colours = np.full((90, 70, 3), 255, np.uint8)
    colours[:, 20:26, 1:] = colours[:, 40:46, :2] = 0
    for seed in range(40):
        image, _ = augment(colours, np.zeros((90, 70), np.uint8), seed)
        assert image.shape == colours.shape and set(np.unique(image)) <= {0, 255}


def test_a_piece_may_slant_as_some_scans_do_and_a_whole_log_less():
    def slants(rows):
        mask = np.zeros((rows, 400), np.uint8)
        mask[:, 195:205] = 255
        for seed in range(150):
            varied = augment(np.uint8(255) - mask, mask, seed)[1]
            top, bottom = (np.flatnonzero(varied[row]).mean() for row in (rows // 4, 3 * rows // 4))
            yield abs(np.degrees(np.arctan(2 * (bottom - top) / rows)))

    assert 1.5 < max(slants(400)) < 3.6 and max(slants(1200)) < 1.2


@pytest.mark.parametrize("paper", [255, 240])
def test_the_tallest_logs_are_varied_like_others(paper):
    """OpenCV's remap takes sides shorter than 32,767 pixels, and its JPEG up to 65,500."""
    gray = np.full((70_000, 40), paper, np.uint8)
    gray[:, 17:24] = gray[40_000::500] = 0
    mask = np.uint8(255) * (gray == 0)
    for seed in range(12):
        image, varied = augment(gray, mask, seed)
        assert image.shape == varied.shape == gray.shape
        assert ((image < 128) == (varied > 0)).mean() > 0.97


def visits_of(logs, step, rank=0, ranks=1):
    trainer = SimpleNamespace(global_step=step, global_rank=rank, world_size=ranks)
    return list(VisitSampler(logs, 0, trainer))


def test_order_is_a_permutation_that_changes_with_the_epoch():
    orders = []
    for epoch in range(3):
        visits = visits_of(20, step=20 * epoch)
        assert {e for e, _ in visits} == {epoch} and sorted(i for _, i in visits) == list(range(20))
        orders.append([i for _, i in visits])
    assert orders[0] != orders[1] != orders[2]


def test_a_resumed_run_sees_the_rest_of_the_epoch():
    assert visits_of(20, step=47) == visits_of(20, step=40)[7:]


def test_ranks_share_an_epoch_without_overlap():
    parts = [visits_of(20, step=0, rank=rank, ranks=3) for rank in range(3)]
    seen = [index for part in parts for _, index in part]
    assert {len(part) for part in parts} == {6} and len(set(seen)) == len(seen) == 18


def test_drawn_logs_never_repeat_and_validation_is_apart():
    options = DataConfig(preset="tiny", count=3, val_count=3, augment=False)
    train, val, _ = open_logs(options, 0, "best")
    logs = [train[epoch, i] for epoch in (0, 1) for i in range(3)] + [val[0, i] for i in range(3)]
    assert len({log.channels.numpy().tobytes() for log in logs}) == 9


def test_a_mask_of_another_size_is_named(data_set):
    tifffile.imwrite(data_set / "masks" / "well2_a.tif", np.zeros((98, 77), np.uint8))
    with pytest.raises(ValueError, match=r"masks[/\\]well2_a\.tif: has 98 x 77 pixels.*98 x 78"):
        train_logs(root=data_set)


def test_transforms_are_drawn_independently_of_each_other():
    """Flips across and along are two coins, not one (see augment)."""
    outcomes = set()
    gray = np.full((40, 30), 255, np.uint8)
    gray[:10, :10] = 0
    for seed in range(60):
        image, _ = augment(gray, gray, seed)
        outcomes.add(
            (image[:20].mean() < image[20:].mean(), image[:, :15].mean() < image[:, 15:].mean())
        )
    assert len(outcomes) == 4
