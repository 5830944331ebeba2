#!/usr/bin/env python3
"""Looks at a page with headless Chromium, through its DevTools protocol over a pipe.

    browser_check.py sorted PAGE KEY     prints the values of KEY in the order of the cards, sorted
                                         by it upwards and then downwards, as two JSON lists
    browser_check.py filtered PAGE TEXT  prints how many cards a filter leaves
    browser_check.py playing PAGE        waits until the videos in view play and prints how many
    browser_check.py foreign PAGE        prints every address of a network that the page asked for
    browser_check.py screenshot PAGE WIDTH light|dark PNG
    browser_check.py play CLIP           plays a clip, seeks to its middle, prints what the player says

Exits 1 if the page logs an error or what is waited for does not come.
"""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SECONDS = 30


class Browser:
    """A Chromium of its own, on a blank page."""

    def __init__(self):
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if program is None:
            sys.exit("no chromium")
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.count = 0
        self.buffer = b""
        theirs_in, self.to = os.pipe()
        self.back, theirs_out = os.pipe()

        def hand_over():  # DevTools reads descriptor 3 and writes 4
            spare_in, spare_out = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(spare_in, 3)
            os.dup2(spare_out, 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--remote-debugging-pipe", "--autoplay-policy=no-user-gesture-required", "--mute-audio",
             "--disable-background-networking", "--no-first-run", f"--user-data-dir={self.profile.name}", "about:blank"],
            preexec_fn=hand_over, close_fds=False, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.session = None
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target for target in targets if target["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)  # nothing in its profile is kept
        self.process.wait()
        self.profile.cleanup()

    def receive(self) -> dict:
        while b"\0" not in self.buffer:
            if not select.select([self.back], [], [], SECONDS)[0]:
                sys.exit(f"chromium is silent; {self.problems}")
            part = os.read(self.back, 1 << 16)
            if not part:
                sys.exit("chromium ended")
            self.buffer += part
        text, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(text)
        self.note(message.get("method"), message.get("params", {}))
        return message

    def note(self, method, event):
        if method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(event["exceptionDetails"]))
        elif method == "Log.entryAdded" and event["entry"]["level"] == "error":
            self.problems.append(event["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(event["request"]["url"])

    def call(self, method: str, **parameters) -> dict:
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.count:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]

    def open(self, page: str, fragment: str = ""):
        for address in ("about:blank", Path(page).resolve().as_uri() + fragment):  # or only the fragment changes
            self.navigate(address)

    def navigate(self, address: str):
        self.call("Page.navigate", url=address)
        while self.receive().get("method") != "Page.loadEventFired":
            pass

    def value(self, expression: str):
        """Of JavaScript; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            sys.exit(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def wait_for(self, expression: str):
        end = time.monotonic() + SECONDS
        while not self.value(expression):
            if time.monotonic() > end:
                sys.exit(f"never true: {expression}; {self.problems}")
            time.sleep(0.1)


def values_of(browser: Browser, key: str) -> list:
    cells = f"[...document.querySelectorAll('.card:not([hidden]) dd')].filter(cell => cell.dataset.key === {json.dumps(key)})"
    return browser.value(f"{cells}.map(cell => cell.textContent)")


def choose(browser: Browser, control: str, value: str):
    """As a person would: sets a control and tells the page."""
    name, text = json.dumps(control), json.dumps(value)
    browser.value(f"(() => {{ const control = document.forms[0].elements[{name}]; control.value = {text};"
                  "control.dispatchEvent(new Event('input', {bubbles: true})); })()")
    browser.wait_for(f"(new URLSearchParams(location.hash.slice(1)).get({name}) ?? '') === {text}")
    browser.value("new Promise(done => setTimeout(done, 50))")


def check_sorted(browser: Browser, page: str, key: str):
    browser.open(page)
    choose(browser, "sort", key)
    print(json.dumps(values_of(browser, key)))
    choose(browser, "order", "descending")
    shown = values_of(browser, key)
    print(json.dumps(shown))
    address = browser.value("location.hash")
    browser.open(page, address)  # a bookmark shows the same
    if values_of(browser, key) != shown:
        sys.exit("the address does not keep the order")


def check_filtered(browser: Browser, page: str, text: str):
    browser.open(page)
    choose(browser, "filter", text)
    print(browser.value("document.querySelectorAll('.card:not([hidden])').length"))


def check_playing(browser: Browser, page: str):
    browser.open(page)
    half_shown = "v => v.getBoundingClientRect().top + v.clientHeight / 2 < innerHeight"
    shown = f"[...document.querySelectorAll('video')].filter({half_shown})"
    browser.wait_for(f"{shown}.length > 0 && {shown}.every(v => v.currentTime > 0 && !v.paused)")
    print(browser.value(f"{shown}.length"))
    browser.value("document.forms[0].elements.play.click()")
    browser.wait_for(f"{shown}.every(v => v.paused)")


def check_foreign(browser: Browser, page: str):
    browser.open(page)
    browser.value("new Promise(done => setTimeout(done, 500))")
    for address in browser.requests:
        if not address.startswith(("data:", "file:", "about:")):
            print(address[:200])


def take_screenshot(browser: Browser, page: str, width: str, scheme: str, file: str):
    browser.call("Emulation.setDeviceMetricsOverride", width=int(width), height=900, deviceScaleFactor=1,
                 mobile=int(width) < 600)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(page)
    browser.value("new Promise(done => setTimeout(done, 1000))")
    overflow = browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if overflow > 0:
        sys.exit(f"the page is {overflow} pixels too wide")
    image = browser.call("Page.captureScreenshot", format="png")["data"]
    Path(file).write_bytes(base64.b64decode(image))


PLAY = """new Promise(async done => {
  const video = document.querySelector('video');
  const say = problem => done({problem, error: video.error && video.error.message, currentTime: video.currentTime,
    duration: video.duration, videoWidth: video.videoWidth, videoHeight: video.videoHeight});
  setTimeout(() => say('too slow'), 20000);
  video.addEventListener('error', () => say('error'));
  try { await video.play(); } catch (problem) { return say(String(problem)); }
  while (video.currentTime === 0) await new Promise(next => setTimeout(next, 20));
  video.pause();
  video.addEventListener('seeked', () => say(null));
  video.currentTime = video.duration / 2;
})"""


def check_play(browser: Browser, clip: str):
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        page.write_text(f'<!DOCTYPE html><video muted src="{Path(clip).resolve().as_uri()}"></video>')
        browser.open(str(page))
        report = browser.value(PLAY)
    print(json.dumps(report))
    middle = report["duration"] and abs(report["currentTime"] - report["duration"] / 2) < 0.05
    if report["problem"] or report["error"] or not middle or report["videoWidth"] < 1:
        sys.exit(f"{clip} does not play and seek")


def main():
    checks = {"sorted": check_sorted, "filtered": check_filtered, "playing": check_playing,
              "foreign": check_foreign, "screenshot": take_screenshot, "play": check_play}
    with Browser() as browser:
        checks[sys.argv[1]](browser, *sys.argv[2:])
        if browser.problems:
            sys.exit("\n".join(browser.problems))


if __name__ == "__main__":
    main()
