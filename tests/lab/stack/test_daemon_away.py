"""A Docker daemon that ends while a kernel uses it; a small web server is the daemon here."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lab.stack.containers import engine


class Daemon(BaseHTTPRequestHandler):
    """Answers what a client asks first, and says goodbye after each answer."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"ApiVersion": "1.41", "Version": "1", "Os": "linux", "Arch": "amd64"}')

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_daemon_that_has_ended_since_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Daemon) as daemon:
        threading.Thread(target=daemon.serve_forever, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{daemon.server_port}")
        engine.connect()
        daemon.shutdown()
    with pytest.raises(engine.NoDaemon, match="No Docker daemon answers"):
        engine.connect()
