"""A view in headless Chromium: time to the first picture, scrolling to the end, memory, the threshold.

    python benchmarks/view.py masks/NAME.html

Times on the clock depend on what else the machine does; "CPU" is what all of the browser's processes took.
Memory is proportional set size (shared pages divided among their users), without the GPU's: software drawing.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
]
SEEN = """() => {
  const top = scroller.scrollTop / state.zoom, bottom = top + scroller.clientHeight / state.zoom;
  return !asked && wanted().filter((one) => one.bottom > top && one.top < bottom).every(
    (one) => tiles.get(one.name)?.done && (one.level !== level() || tiles.get(one.name).values));
}"""
SCROLL = """async () => {
  const end = scroller.scrollHeight - scroller.clientHeight, times = [];
  let elements = 0, bytes = 0, last = performance.now();
  for (let at = 0; at < end + 240; at += 240) {
    scroller.scrollTop = at;
    const now = await new Promise(requestAnimationFrame);
    times.push(now - last);
    last = now;
    elements = Math.max(elements, document.querySelectorAll("*").length);
    const held = [...tiles.values()].filter((one) => one.canvas);
    const size = ({ canvas, values }) => 4 * canvas.width * canvas.height + values.length;
    bytes = Math.max(bytes, held.reduce((sum, one) => sum + size(one), 0));
  }
  times.sort((a, b) => a - b);
  const share = (part) => Math.round(times[Math.floor(part * (times.length - 1))]);
  const [ms_median, ms_p95, ms_worst] = [share(0.5), share(0.95), share(1)];
  return { frames: times.length, ms_median, ms_p95, ms_worst, elements, tiles_MB: Math.round(bytes / 1e6) };
}"""
THRESHOLD = """async (value) => {
  const started = performance.now();
  setThreshold(value);
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - started;
}"""


def browsers() -> list[int]:
    """Process numbers of the browser that this process started."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [os.getpid()]
    while todo:
        todo += (children := parents.get(todo.pop(), []))
        found += children
    return [pid for pid in found if b"chrom" in read(pid, "cmdline")]


def read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""


def cpu_s() -> float:
    ticks = sum(
        sum(map(int, read(pid, "stat").rpartition(b")")[2].split()[11:13])) for pid in browsers()
    )
    return ticks / os.sysconf("SC_CLK_TCK")


def renderer_MB() -> float:
    sizes = [
        read(pid, "smaps_rollup")
        for pid in browsers()
        if b"--type=renderer" in read(pid, "cmdline")
    ]
    return max(int(size.split(b"Pss:")[1].split()[0]) / 1024 for size in sizes if size)


def measure(page: Page, address: str) -> None:
    for _ in range(3):
        started_s, before_s = time.monotonic(), cpu_s()
        page.goto(address)
        page.wait_for_function(SEEN)
        print(f"first view: {time.monotonic() - started_s:.2f} s, CPU {cpu_s() - before_s:.2f} s")
    print(f"memory: {renderer_MB():.0f} MB")
    before_s = cpu_s()
    scrolled: dict[str, Any] = page.evaluate(SCROLL)
    each_ms = 1000 * (cpu_s() - before_s) / scrolled["frames"]
    print(
        f"scrolling to the end: {scrolled}, CPU {each_ms:.0f} ms a frame; memory {renderer_MB():.0f} MB"
    )
    for turn in range(3):
        most = 0.0
        for part in range(41):
            page.evaluate(f"goTo(rows * {part / 40})")
            page.wait_for_function(SEEN)
            most = max(most, renderer_MB())
        print(f"41 jumps from top to bottom, turn {turn + 1}: at most {most:.0f} MB")
    before_s = cpu_s()
    times = [page.evaluate(THRESHOLD, 0.2 + 0.03 * i) for i in range(20)]
    print(
        f"threshold: {statistics.median(times):.0f} ms to the picture, CPU {50 * (cpu_s() - before_s):.0f} ms"
    )


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.on("console", lambda message: print("console:", message.type, message.text))
        page.on("pageerror", lambda error: print("error:", error))
        measure(page, Path(sys.argv[1]).resolve().as_uri())
        browser.close()


if __name__ == "__main__":
    main()
