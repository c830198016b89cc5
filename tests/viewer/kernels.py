"""A real kernel, and the part of a front end that talks with it."""

from __future__ import annotations

import queue
import time
from contextlib import contextmanager

from jupyter_client.manager import KernelManager

PATIENCE = 60.0


class Kernel:
    """A kernel whose messages are kept; `comms` has the state of each widget by its name."""

    def __init__(self, client) -> None:
        self._client = client
        self.comms: dict[str, dict] = {}
        self.updates: list[tuple[str, dict]] = []
        self.custom: list[tuple[str, dict, list[bytes]]] = []

    def run(self, code: str) -> list[dict]:
        """Run code; return the data of what it shows, in order."""
        asked = self._client.execute(code)
        shown = []
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            message = self._next(deadline)
            kind, content = message["msg_type"], message["content"]
            mine = message["parent_header"].get("msg_id") == asked
            if kind == "error" and mine:
                raise AssertionError("\n".join(content["traceback"]))
            if kind in {"display_data", "execute_result", "update_display_data"}:
                shown.append(content["data"])
            if kind == "stream":
                shown.append({"text/plain": content["text"]})
            if kind == "status" and mine and content["execution_state"] == "idle":
                return shown
        raise AssertionError("the kernel did not answer")

    def _next(self, deadline: float) -> dict:
        message = self._client.get_iopub_msg(timeout=max(0.01, deadline - time.monotonic()))
        content = message["content"]
        if message["msg_type"] == "comm_open":
            self.comms[content["comm_id"]] = content["data"]["state"]
        elif message["msg_type"] == "comm_msg" and content["comm_id"] in self.comms:
            data = content["data"]
            if data["method"] == "update":
                self.comms[content["comm_id"]].update(data["state"])
                self.updates.append((content["comm_id"], data["state"]))
            elif data["method"] == "custom":
                buffers = [bytes(one) for one in message["buffers"]]
                self.custom.append((content["comm_id"], data["content"], buffers))
        return message

    def listen(self, enough, patience: float = 20.0) -> None:
        """Take messages until there is enough."""
        deadline = time.monotonic() + patience
        while not enough():
            assert time.monotonic() < deadline, "it did not come"
            try:
                self._next(time.monotonic() + 0.2)
            except queue.Empty:
                continue

    def send(self, comm: str, data: dict) -> None:
        """Send what a widget's front end sends."""
        message = self._client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        self._client.shell_channel.send(message)

    def views(self) -> list[str]:
        """Return the names of the slides' widgets, the oldest first."""
        return [name for name, state in self.comms.items() if "_screen" in state]


@contextmanager
def kernel():
    """Start a kernel."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
