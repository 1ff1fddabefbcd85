"""A hub on this machine, as far as a download needs one."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "89" * 20


@dataclass
class Hub:
    """What it holds, at which commit its branch ``main`` is, and what was asked of it."""

    files: Mapping[str, bytes]
    commit: str = COMMIT
    gated: bool = False
    address: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            hub.asked.append(f"{self.command} {path}")
            if hub.gated:
                return self.answer(b"{}", 403, {"X-Error-Code": "GatedRepo"})
            if path.startswith("/api/models/") and "/tree/" in path:
                return self.answer(json.dumps([self.entry(name) for name in hub.files]).encode())
            if path.startswith("/api/models/"):
                revision = path.rpartition("/")[2]
                if "/revision/" in path and revision not in ("main", hub.commit):
                    return self.answer(b"{}", 404, {"X-Error-Code": "RevisionNotFound"})
                name = path.removeprefix("/api/models/").split("/revision")[0]
                names = [{"rfilename": file} for file in hub.files]
                told = {"id": name, "sha": hub.commit, "siblings": names}
                return self.answer(json.dumps(told).encode())
            data = hub.files[path.rpartition(f"/resolve/{hub.commit}/")[2]]
            digest = hashlib.sha1(data).hexdigest()
            return self.answer(data, 200, {"ETag": f'"{digest}"', "X-Repo-Commit": hub.commit})

        def entry(self, name: str) -> Mapping[str, object]:
            data = hub.files[name]
            digest = hashlib.sha1(data).hexdigest()
            return {"type": "file", "path": name, "size": len(data), "oid": digest}

        def answer(
            self, data: bytes, code: int = 200, headers: Mapping[str, str] | None = None
        ) -> None:
            self.send_response(code)
            for name, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
