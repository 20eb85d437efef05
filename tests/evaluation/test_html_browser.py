"""The page in a real browser: no error, nothing wider than the screen, controls that work."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from litgrid.evaluation import html
from litgrid.evaluation.comparison import Comparison

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROGRAM = next((path for path in map(shutil.which, NAMES) if path), None)
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)
START = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
"""The browser reads messages from descriptor 3 and writes them to 4."""
SECONDS = 120  # then a browser that does not answer is ended

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None or os.name == "nt", reason="no Chromium that listens on pipes is installed"),
]

SEE = """
const paths = (id) => [...document.querySelectorAll(`#${id} path`)].map((path) => path.getAttribute("d"));
const see = () => ({
  map: document.getElementById("imports-right-map").toDataURL(),
  week: paths("week-right-plot"),
  caption: document.getElementById("week-right-sum").textContent,
  learning: paths("learning-plot"),
  note: document.getElementById("learning-note").textContent,
  first: document.querySelector("table.sortable tbody th").textContent.trim(),
  number: document.getElementById("week-shown").value,
  wide: document.documentElement.scrollWidth,
});
"""
DRAWN = """new Promise((done) => {
  const look = () => (document.querySelector("#week-right-plot path") ? done(true) : setTimeout(look, 50));
  look();
})"""
USE = """
const set = (id, value) => {
  const control = document.getElementById(id);
  control.value = value;
  control.dispatchEvent(new Event("input"));
};
set("imports-right", 0);
set("week-right", 0);
set("week-number", 1);
document.getElementById("week-after").click();
document.querySelector("input[value=minutes]").click();
for (const click of [1, 2]) document.querySelectorAll("table.sortable button")[2].click();
"""


class Browser:
    """Chromium, spoken to by the DevTools protocol over pipes.

    Attributes:
        complaints: errors, and whatever else came to the console.
    """

    def __init__(self, profile: Path) -> None:
        read, self._to = os.pipe()
        found, write = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, str(read), str(write), str(PROGRAM), *OPTIONS, f"--user-data-dir={profile}"],
            pass_fds=(read, write),
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self._from = os.fdopen(found, "rb")
        self._watchdog = threading.Timer(SECONDS, self._process.kill)
        self._watchdog.start()
        self._calls = 0
        self._session: dict[str, str] = {}
        self.complaints: list[Any] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method and wait for its answer."""
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": parameters, **self._session}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self._read())
            if answer.get("id") == self._calls:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            if answer["method"] in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
                self.complaints.append(answer["params"])

    def _read(self) -> bytes:
        message = bytearray()
        while (byte := self._from.read(1)) != b"\0":
            assert byte, "the browser has ended"
            message += byte
        return bytes(message)

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression in the page, that of a promise once it is kept."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def close(self) -> None:
        """End it."""
        self._watchdog.cancel()
        self._process.kill()
        self._process.wait()
        self._from.close()
        os.close(self._to)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    found = Browser(tmp_path / "profile")
    yield found
    found.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_it_works_in_a_browser(stand_ins: Comparison, tmp_path: Path, browser: Browser, width: int) -> None:
    path = tmp_path / "report.html"
    html.write(stand_ins, path)
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
    browser.call("Page.navigate", url=path.as_uri())
    assert browser.evaluate(DRAWN)
    before = browser.evaluate(SEE + "see()")
    browser.evaluate(USE)
    after = browser.evaluate("see()")
    assert browser.complaints == []
    assert browser.evaluate("innerWidth") == width
    assert before["wide"] <= width
    assert len(before["week"]) == len(after["week"]) == 8  # four stacked, PV, import, SOC and price
    assert len(before["learning"]) == len(after["learning"]) == 4
    assert not any("NaN" in path for found in (before, after) for path in [*found["week"], *found["learning"]])
    for picture in ("map", "week", "caption", "learning"):
        assert before[picture] != after[picture]
    assert (before["note"], after["note"], after["number"]) == ("", "", "2")
    assert before["first"] == stand_ins.entries[0].name
    assert after["first"].rstrip(" !") == max(stand_ins.entries, key=lambda one: one.standing.objective.value).name
