"""The ASGI application, and serving it on a loopback port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from movieapp.guard import Guard
from movieapp.pages import Pages
from movieapp.studio import Studio
from movieapp.surroundings import Surroundings
from movieapp.templating import HERE
from movieapp.writers import Mode

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


def serve(
    around: Surroundings, mode: Mode, port: int, ready: Callable[[str], None] = print
) -> None:
    """Serve until Ctrl-C or SIGTERM; calls `ready` with the address once it listens.

    Port 0 takes a free one. Raises OSError when the port cannot be had.
    """
    listener = socket.socket(socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    listener.listen(100)
    config = uvicorn.Config(
        create_app(around, mode),
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=5,
        proxy_headers=False,
    )
    server = _Server(config, lambda: ready(f"http://{LOOPBACK}:{listener.getsockname()[1]}/"))
    with listener, contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again at its end
        server.run(sockets=[listener])


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
