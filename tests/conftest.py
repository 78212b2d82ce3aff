"""Shared by the tests: one thread, small data sets on disk, the shared folder where it is."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two test runs on two cores would fight over threads

import numpy as np
import pytest
import tifffile

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real scans and oddities, beside the checkout on the developers' machines only."""
    if not SHARED.is_dir():
        pytest.skip("no shared scans")
    return SHARED


def draw_waves(rows: int, columns: int, phase: float) -> tuple[np.ndarray, np.ndarray]:
    """A grid with one curve that any network learns within a few steps: gray and mask."""
    import cv2

    gray, mask = np.full((rows, columns), 255, np.uint8), np.zeros((rows, columns), np.uint8)
    gray[::16] = 0
    gray[:, ::16] = 0
    row = np.arange(rows)
    path = np.stack([columns / 2 + columns / 4 * np.sin(row / 17 + phase), row], 1).astype(np.int32)
    for picture, value in ((gray, 0), (mask, 255)):
        cv2.polylines(picture, [path[:, None]], False, value, 4)
    return gray, mask


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    """Six logs of six wells, each of another size."""
    root = tmp_path / "data"
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    for i in range(6):
        gray, mask = draw_waves(72 + 13 * i, 64 + 7 * i, phase=i)
        tifffile.imwrite(root / "images" / f"well{i}_a.tif", gray)
        tifffile.imwrite(root / "masks" / f"well{i}_a.tif", mask)
    lines = [f"well{i}_a,{'val' if i == 5 else 'train'},well{i}" for i in range(6)]
    (root / "split.csv").write_text("\n".join(["name,split,well", *lines]) + "\n")
    return root


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One for all tests of a process: a second Playwright beside it is refused."""
    sync_api = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium here")
    quiet = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
    ]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=[*quiet, "--disable-sync"]
        )
        yield browser
        browser.close()


@pytest.fixture
def browser_page(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens a local file in Chromium: page(path, width). The test fails if the page says an error,
    with may_miss_files another one than that a file is not there. phone: with fingers, no mouse."""
    said: list[str] = []
    contexts = []

    def opened(
        path: Path,
        width: int = 1440,
        height: int = 900,
        may_miss_files: bool = False,
        phone: bool = False,
    ) -> Any:
        touch = {"has_touch": True, "is_mobile": True, "device_scale_factor": 3} if phone else {}
        context = chromium.new_context(viewport={"width": width, "height": height}, **touch)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on(
            "console",
            lambda message: (
                said.append(message.text)
                if message.type == "error"
                and not (may_miss_files and "ERR_FILE_NOT_FOUND" in message.text)
                else None
            ),
        )
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.resolve().as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not said


@pytest.fixture(scope="session")
def trained() -> Any:
    """A small net that knows the ink of draw_waves' curves: following what is noise takes long."""
    import torch

    from wellseg.net.resunet import ResUNet

    torch.manual_seed(0)
    net = ResUNet(2, (8, 16))
    logs = [draw_waves(203, 117, phase) for phase in (0, 1)]
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for step in range(60):
        gray, mask = (torch.from_numpy(each)[None, None].float() / 255 for each in logs[step % 2])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(1 - gray), mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net


def save_small(path: Path, net: Any) -> Path:
    from wellseg.weights import save_weights

    save_weights(path, net, {"model": {"patch": 2, "widths": [8, 16]}})
    return path


@pytest.fixture
def weights(tmp_path: Path, trained: Any) -> Path:
    """Of that net."""
    return save_small(tmp_path / "small.safetensors", trained)


@pytest.fixture
def noisy_weights(tmp_path: Path) -> Path:
    """Untrained: probabilities of all kinds, about half of the pixels above 0.5."""
    import torch

    from wellseg.net.resunet import ResUNet

    torch.manual_seed(0)
    net = ResUNet(2, (8, 16))
    torch.nn.init.zeros_(net.head.bias)
    return save_small(tmp_path / "noisy.safetensors", net)
