"""JupyterLab with directories of its own, and notebooks that are run in its page."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import nbformat

ROOT = Path(__file__).parents[2]
PATIENCE = 60_000  # milliseconds; a kernel takes seconds to start on a busy machine


class Lab:
    """A running JupyterLab.

    `settings` are those of its plugins that a user may change, by the plugin's name.
    """

    def __init__(self, folder: Path, **settings: dict) -> None:
        self.folder = folder / "notebooks"
        self.folder.mkdir(parents=True)
        self.token = secrets.token_hex(16)
        self._runtime = folder / "runtime"
        quiet = {"fetchNews": "false", "checkForUpdates": False}
        settings = {"@jupyterlab/apputils-extension:notification": quiet, **settings}
        for name, values in settings.items():
            package, plugin = name.split(":")
            place = folder / "settings" / package / f"{plugin}.jupyterlab-settings"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(json.dumps(values))
        dirs = {
            "HOME": folder,
            "IPYTHONDIR": folder / "ipython",
            "JUPYTER_CONFIG_DIR": folder / "config",
            "JUPYTER_DATA_DIR": folder / "data",
            "JUPYTER_RUNTIME_DIR": self._runtime,
            "JUPYTERLAB_SETTINGS_DIR": folder / "settings",
            "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
        }
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", "--ServerApp.open_browser=False"),
            f"--IdentityProvider.token={self.token}",
            f"--ServerApp.root_dir={self.folder}",
            *("--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"),
            "--ServerApp.allow_remote_access=False",
        ]
        self._log = (folder / "jupyter.log").open("w")
        self._process = subprocess.Popen(
            command,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                **{name: str(path) for name, path in dirs.items()},
            },
            cwd=folder,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.url = self._url()

    def _url(self) -> str:
        deadline = time.monotonic() + PATIENCE / 1000
        while time.monotonic() < deadline:
            for told in self._runtime.glob("jpserver-*.json"):
                with contextlib.suppress(ValueError, OSError):
                    url = json.loads(told.read_text())["url"]
                    urlopen(f"{url}api?token={self.token}", timeout=5).close()
                    return url
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"JupyterLab did not start; see {self._log.name}")

    def close(self) -> None:
        """End the server, and with it its kernels."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def write(self, name: str, *cells: str) -> None:
        """Write a notebook that was never run."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, self.folder / name)

    def read(self, name: str) -> nbformat.NotebookNode:
        """Return a notebook as it was saved."""
        return nbformat.read(self.folder / name, as_version=4)


class Notebook:
    """A notebook that is open in a page of JupyterLab."""

    def __init__(self, lab: Lab, page, name: str) -> None:
        self.page = page
        page.goto(f"{lab.url}lab/tree/{name}?token={lab.token}&reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=PATIENCE)
        page.wait_for_function("window.jupyterapp !== undefined", timeout=PATIENCE)

    def wait_for_kernel(self) -> None:
        """Wait until the kernel is idle."""
        self.page.wait_for_function(
            """() => {
                const context = window.jupyterapp.shell.currentWidget?.sessionContext;
                return context?.isReady && context.session?.kernel?.status === 'idle';
            }""",
            timeout=PATIENCE,
        )

    def run(self) -> None:
        """Run all cells, one after the other; each has to succeed."""
        self.wait_for_kernel()
        for number in range(self.page.locator(".jp-CodeCell").count()):
            self.run_cell(number)

    def run_cell(self, number: int, *, wait: bool = True) -> None:
        """Run a cell."""
        self.page.evaluate(
            """number => {
                const { content } = window.jupyterapp.shell.currentWidget;
                content.activeCellIndex = number;
                content.deselectAll();
                void window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            number,
        )
        if wait:
            self.page.wait_for_function(
                "number => /\\[\\d+\\]/.test("
                "document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')[number].textContent)",
                arg=number,
                timeout=PATIENCE,
            )
            failure = (
                self.page.locator(".jp-CodeCell")
                .nth(number)
                .locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']")
            )
            assert not failure.count(), failure.first.inner_text()

    def prompt(self, number: int) -> str:
        """Return what stands before a cell: ``[*]`` while it runs."""
        return self.page.locator(".jp-CodeCell .jp-InputPrompt").nth(number).inner_text()

    def save(self) -> None:
        """Save the notebook."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def end_kernel(self) -> None:
        """Shut the kernel down, so that nobody finds it again."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")

    def viewer(self, number: int = 0):
        """Return a viewer, once it shows its slide."""
        found = self.page.locator(".wsiweb-viewer").nth(number)
        found.wait_for(state="visible", timeout=PATIENCE)
        self.page.wait_for_function(
            """number => {
                const viewer = document.querySelectorAll('.wsiweb-viewer')[number];
                return viewer?.querySelector('canvas') && !viewer.hasAttribute('aria-busy');
            }""",
            arg=number,
            timeout=PATIENCE,
        )
        return found

    def output(self, cell: int) -> str:
        """Return the text below a cell."""
        return self.page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea").inner_text()
