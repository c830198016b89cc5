"""A page without a browser: asks the app over a socket, with cookie and origin as a browser has."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl


@dataclass
class Said:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def words(self):
        return self.json["error"]


class Page:
    """Somebody who opened the address that the app said."""

    def __init__(self, server, name="page1", context: ssl.SSLContext | None = None):
        self.server = server
        self.name = name
        self._context = context
        at = urlsplit(server.url)
        self.host = at.netloc
        self.origin = server.url
        opened = self.ask(f"/?token={server.token}", cookie=None)
        assert opened.status == 303
        self.cookie = opened.headers["set-cookie"].split(";")[0]

    def connect(self, timeout=30):
        if self._context is None:
            return http.client.HTTPConnection(urlsplit(self.server.url).netloc, timeout=timeout)
        where = urlsplit(self.server.url).netloc
        return http.client.HTTPSConnection(where, timeout=timeout, context=self._context)

    def ask(self, path, method="GET", body=None, *, cookie="own", headers=None):
        named = {} if headers is None else dict(headers)
        if cookie is not None:
            named.setdefault("Cookie", self.cookie if cookie == "own" else cookie)
        connection = self.connect()
        try:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            lower = {name.lower(): value for name, value in answer.getheaders()}
            return Said(answer.status, lower, answer.read())
        finally:
            connection.close()

    def get(self, path, status=200):
        said = self.ask(path)
        assert said.status == status, (said.status, said.body[:500])
        return said

    def change(self, path, body=None, method="POST", **headers):
        named = {"Origin": self.origin, "Content-Type": "application/json", **headers}
        return self.ask(path, method, json.dumps(body or {}), headers=named)

    def do(self, path, body=None, method="POST"):
        said = self.change(path, body, method)
        assert said.status in {200, 202}, (said.status, said.body[:500])
        return said.json

    def studies(self, **asked):
        query = "&".join(f"{name}={value}" for name, value in {"page": self.name, **asked}.items())
        return self.get(f"/api/studies?{query}").json

    def listed(self, timeout=30, **asked):
        """Return the studies once no archive has more to say."""
        end = time.monotonic() + timeout
        while not (found := self.studies(**asked))["complete"]:
            assert time.monotonic() < end, found["archives"]
            time.sleep(0.05)
        return found

    def archives(self):
        return {one["name"]: one for one in self.get("/api/archives").json}

    def finished(self, archive, job, timeout=60):
        """Return a job once nothing of it waits."""
        end = time.monotonic() + timeout
        while True:
            found = [one for one in self.get("/api/jobs").json if one["id"] == job]
            if found and found[0]["finished"]:
                return found[0]
            assert time.monotonic() < end, found
            time.sleep(0.05)

    def events(self):
        return Events(self)


class Events:
    """The stream of events of a page."""

    def __init__(self, page):
        self._connection = page.connect()
        self._connection.request(
            "GET", f"/api/events?page={page.name}", headers={"Cookie": page.cookie}
        )
        self.answer = self._connection.getresponse()
        assert self.answer.status == 200

    def until(self, wanted, found=lambda _: True, most=200):
        """Return what the first event of a kind says that fits."""
        name = ""
        for _ in range(most):
            line = self.answer.readline()
            if not line:
                return None
            if line.startswith(b"event: "):
                name = line[7:].strip().decode()
            elif line.startswith(b"data: ") and name == wanted:
                data = json.loads(line[6:])
                if found(data):
                    return data
        return None

    def close(self):
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
