"""The worker's page for probes and Prometheus."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from .metrics import Metrics
from .worker import Worker


@contextmanager
def serve(metrics: Metrics, worker: Worker, port: int, host: str = "127.0.0.1") -> Iterator[None]:
    """Serve /metrics, /health and /live while the block runs; port 0 serves nothing.

    /health answers 503 with the reason while the worker cannot do its work, as in an outage, which no
    restart would end. /live answers 503 only where a restart helps: the worker itself stands still.
    """

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(metrics.registry))
            elif self.path in ("/health", "/live"):
                wrong = worker.trouble() if self.path == "/health" else worker.stands_still()
                said = (wrong or "ok").encode() + b"\n"
                self._answer(503 if wrong else 200, "text/plain; charset=utf-8", said)
            else:
                self._answer(404, "text/plain", b"/metrics, /health or /live\n")

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
    with ThreadingHTTPServer((host, port), Page) as server:
        threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
