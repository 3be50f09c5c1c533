"""The ASGI application, and serving it on a loopback port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from movieapp.studio import Studio
from movieapp.surroundings import Surroundings
from movieapp.web.guard import Guard
from movieapp.web.pages import Pages
from movieapp.web.templating import HERE
from movieapp.writing.writers import Mode

LOOPBACK = "127.0.0.1"


class _Static(StaticFiles):
    """Files that a browser may keep: their addresses change when they do."""

    async def get_response(self, path: str, scope: Scope):  # type: ignore[no-untyped-def]
        """Return a file."""
        answer = await super().get_response(path, scope)
        answer.headers["cache-control"] = "public, max-age=31536000, immutable"
        return answer


def create_app(around: Surroundings, mode: Mode) -> Starlette:
    """Return the app. It begins to watch, and to write in this mode, when it is started."""
    studio = Studio(around)

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(studio.start, mode)
        try:
            yield
        finally:
            await asyncio.to_thread(studio.stop)

    routes = [*Pages(studio).routes(), Mount("/static", _Static(directory=HERE / "static"))]
    layers = [
        Middleware(Guard, hosts=around.hosts),
        Middleware(GZipMiddleware, minimum_size=800, compresslevel=5),
    ]
    app = Starlette(routes=routes, middleware=layers, lifespan=life)
    app.state.studio = studio
    return app


class Running:
    """The app beside a kernel's own work: in a thread, so that a notebook can look into `studio`."""

    def __init__(self, around: Surroundings, mode: Mode, port: int = 0) -> None:
        app = create_app(around, mode)
        self.studio: Studio = app.state.studio
        self._listener = _listen(port)
        self.port: int = self._listener.getsockname()[1]
        ready = threading.Event()
        self._server = _Server(_config(app), ready.set)
        sockets = [self._listener]
        self._thread = threading.Thread(target=self._server.run, args=(sockets,), daemon=True)
        self._thread.start()
        ready.wait(60)

    @property
    def url(self) -> str:
        """Where it is on this machine."""
        return f"http://{LOOPBACK}:{self.port}/"

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        self._server.should_exit = True
        self._thread.join(60)
        self._listener.close()


def serve(
    around: Surroundings, mode: Mode, port: int, ready: Callable[[str], None] = print
) -> None:
    """Serve until Ctrl-C or SIGTERM; calls `ready` with the address once it listens.

    Port 0 takes a free one. Raises OSError when the port cannot be had.
    """
    listener = _listen(port)
    server = _Server(
        _config(create_app(around, mode)),
        lambda: ready(f"http://{LOOPBACK}:{listener.getsockname()[1]}/"),
    )
    with listener, contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again at its end
        server.run(sockets=[listener])


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    listener.listen(100)
    return listener


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=5,
        proxy_headers=False,
    )


class _Server(uvicorn.Server):
    """Uvicorn, which says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()
