"""The context of connections to redis-server."""

import shutil
import ssl
import subprocess

import pytest

from minigears.tls import client_context


def test_connections_share_a_context_until_a_file_changes(tmp_path):
    first, second, used = tmp_path / "1.pem", tmp_path / "2.pem", tmp_path / "ca.pem"
    for path in (first, second):
        words = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=ca",
        ]
        subprocess.run(
            [*words, "-keyout", tmp_path / "key", "-out", path], check=True, capture_output=True
        )
    shutil.copy(first, used)
    query = f"ssl_ca_certs={used}"
    context = client_context(query)
    assert client_context(query) is context
    shutil.copy(second, used)
    changed = client_context(query)
    assert changed is not context
    assert changed.get_ca_certs() == client_context(f"ssl_ca_certs={second}").get_ca_certs()
    assert client_context("") is client_context("")


def test_files_that_are_bad(tmp_path):
    (tmp_path / "bad").write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        client_context(f"ssl_ca_certs={tmp_path}/bad")
    with pytest.raises(FileNotFoundError):
        client_context(f"ssl_ca_certs={tmp_path}/none")
