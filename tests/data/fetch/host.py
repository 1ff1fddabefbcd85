"""A local HTTP server that stands in for the hosts, with the faults that hosts have."""

import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Host:
    """Serves ``files`` by path (``/host/path`` below the mirror).

    ``faults[path]`` is a list; each request takes the first: ``("break", n)`` closes after n bytes,
    ``("bytes", data)`` serves others, a number is an HTTP status (``(429, seconds)`` with
    Retry-After), ``("stall", seconds)`` is silent after half, ``("shift", n)`` answers a range with
    another, ``("unsized",)`` tells no length, ``None`` is no fault. ``ranges`` and ``tags`` switch
    what hosts may lack.
    """

    def __init__(self):
        self.files, self.faults = {}, defaultdict(list)
        self.ranges, self.tags = True, True
        self.asked, self.headers, self.now, self.most = [], [], 0, 0
        self.pause = 0.0
        self.lock = threading.Lock()
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                with host.lock:
                    host.now += 1
                    host.most = max(host.most, host.now)
                try:
                    answer(host, self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True
                finally:
                    with host.lock:
                        host.now -= 1

            def log_message(self, *words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        serve = self.server.serve_forever
        threading.Thread(target=serve, args=(0.01,), daemon=True).start()

    def put(self, address, data):
        """Serve bytes under a public address; returns the path that a mirror asks."""
        path = "/" + address.split("://", 1)[1]
        self.files[path] = data
        return path

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def answer(host, request):
    path = request.path
    with host.lock:
        host.asked.append((path, request.headers.get("Range")))
        host.headers.append(dict(request.headers))
        queue = host.faults[path]
        fault = queue.pop(0) if queue else None
    time.sleep(host.pause)
    if isinstance(fault, int) or (fault and isinstance(fault[0], int)):
        status, after = fault if isinstance(fault, tuple) else (fault, None)
        return send(request, status, b"", {"Retry-After": str(after)} if after is not None else {})
    data = host.files.get(path)
    if fault and fault[0] == "bytes":
        data = fault[1]
    if data is None:
        return send(request, 404, b"")
    tag = {"ETag": f'"{hash(data)}"'} if host.tags else {}
    wanted = request.headers.get("Range") if host.ranges else None
    start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
    stale = request.headers.get("If-Range") not in (None, tag.get("ETag"))
    if stale or not wanted:
        start, status = 0, 200
    elif start >= len(data):
        return send(request, 416, b"")
    else:
        status = 206
        told = start + (fault[1] if fault and fault[0] == "shift" else 0)
        tag["Content-Range"] = f"bytes {told}-{len(data) - 1}/{len(data)}"
    return send(request, status, data[start:], tag, fault)


def send(request, status, body, headers=(), fault=None):
    request.send_response(status)
    kind = fault[0] if fault else ""
    if kind == "unsized":
        request.send_header("Connection", "close")
        request.close_connection = True
    else:
        request.send_header("Content-Length", str(len(body)))
    for name, value in dict(headers).items():
        request.send_header(name, value)
    request.end_headers()
    if kind == "break":
        request.wfile.write(body[: fault[1]])
        request.wfile.flush()
        request.close_connection = True
        return
    if kind == "stall":
        request.wfile.write(body[: len(body) // 2])
        request.wfile.flush()
        time.sleep(fault[1])
        request.close_connection = True
        return
    request.wfile.write(body)
