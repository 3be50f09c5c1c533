"""Windows onto the stores: both install at first use, answer on loopback, and end with Ctrl-C."""

from __future__ import annotations

import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import psutil
import pytest

import lab
from lab.stack import ports
from lab.stack.model import Stack
from lab.tools import windows
from tests.lab.serving import serve
from tests.programs import left_out

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


@pytest.mark.parametrize("how", ["ctrl-c", "lab down"])
@pytest.mark.parametrize("name", ["insight", "mongo-admin"])
def test_a_window_opens_and_ends(breakable: Stack, name: str, how: str) -> None:
    if name == "insight" and not shutil.which("npm"):
        left_out("no npm here, which brings redis-commander")
    process, url = serve(name)
    port = urlsplit(url).port
    assert port
    try:
        with urllib.request.urlopen(url, timeout=60) as page:
            assert page.status == 200
        if name == "mongo-admin":  # not without its token
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60)
        listening = [
            c.laddr.ip
            for child in psutil.Process(process.pid).children(recursive=True)
            for c in child.net_connections("tcp")
            if c.status == psutil.CONN_LISTEN
        ]
        assert set(listening) == {"127.0.0.1"}
        lab.stop("mongo")  # an outage is what there is to look at
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3 * windows.LOOKS)
    finally:
        lab.start("mongo")
        if how == "lab down":
            lab.down()
        else:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0
    lab.wait_until(lambda: ports.is_free(port), "the port is free")
