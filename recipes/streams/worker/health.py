"""The worker's page for probes and Prometheus, on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from .metrics import Metrics
from .worker import Worker


@contextmanager
def serve(metrics: Metrics, worker: Worker, port: int) -> Iterator[None]:
    """Serve /metrics and /health while the block runs; port 0 serves nothing."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(metrics.registry))
            elif self.path == "/health":
                trouble = worker.trouble()
                status = 503 if trouble else 200
                self._answer(
                    status, "text/plain; charset=utf-8", (trouble or "ok").encode() + b"\n"
                )
            else:
                self._answer(404, "text/plain", b"/metrics or /health\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    if not port:
        yield
        return
    with ThreadingHTTPServer(("127.0.0.1", port), Page) as server:
        threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
