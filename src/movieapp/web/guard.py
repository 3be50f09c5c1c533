"""Who may ask: this machine's browser, on a page of ours. And what a page of ours may load.

The app listens on loopback, but any page that the browser shows can send requests there. So a
request must name a host that is ours (a stranger's name that resolves to 127.0.0.1 is not), and one
that changes something must come from a page of ours.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
ANY = "*"
"""As a host: every name will do. Only where no browser can reach this machine's loopback but
through a proxy that knows who asks, as in a JupyterHub's container."""

_READS = ("GET", "HEAD")
# A notebook shows the app in an IFrame, from another port of this machine.
_FRAMED_BY = "'self' http://127.0.0.1:* http://localhost:*"
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        f"frame-ancestors {_FRAMED_BY}",
    )
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Refuses strangers before anything else is done, and adds the headers to every answer."""

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...] = ()) -> None:
        self._app = app
        self._hosts = {name.lower() for name in (*LOOPBACK, *hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope["method"], Headers(scope=scope))

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = PlainTextResponse(refusal, 403) if refusal else self._app
        await answer(scope, receive, guarded)

    def _refusal(self, method: str, headers: Headers) -> str:
        host = headers.get("host", "").lower()
        if ANY not in self._hosts and _name(host) not in self._hosts:
            return f"This app answers to {', '.join(sorted(self._hosts))}; start it with --allow-host to add a name."
        if method not in _READS and not _is_own_page(headers, host):
            return (
                "Only a page of this app may change something. Open the app itself, and try again."
            )
        return ""


def _is_own_page(headers: Headers, host: str) -> bool:
    """Tell whether the browser says that the request comes from our own page."""
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    if origin is not None:
        return site == "same-origin" or urlsplit(origin).netloc.lower() == host
    return site == "same-origin"


def _name(host: str) -> str:
    """Return a Host header without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
