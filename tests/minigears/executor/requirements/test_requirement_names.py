from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigears.executor.requirements.model import canonical_name, compiled_os, slug


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("rgsync", "rgsync"),
        ("pymongo == 3.12.0", "pymongo==3.12.0"),
        (" redis[hiredis]>=4 ", "redis[hiredis]>=4"),
        ("a<2; python_version < '3.11'", 'a<2; python_version < "3.11"'),
    ],
)
def test_names_of_pep_508_are_allowed(text, name):
    assert canonical_name(text) == name
    assert canonical_name(name) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-r /etc/passwd",
        "--index-url=http://127.0.0.1/",
        "-e .",
        "rgsync --index-url=http://127.0.0.1/",
        "rgsync\n--index-url=http://127.0.0.1/",
        "rgsync\n",
        "a @ https://127.0.0.1/a.whl",
        "a @ file:///tmp/a.whl",
        "git+https://127.0.0.1/a",
        "https://127.0.0.1/a.whl",
        "./a",
        "/tmp/a",
        "../a",
        "a.whl/../b",
        "rgsync pymongo",
        "a\0",
    ],
)
def test_options_urls_and_paths_are_not(text):
    with pytest.raises(ValueError, match=r"is not a requirement|only names"):
        canonical_name(text)


@given(st.text())
def test_a_directory_name_is_one_plain_part(name):
    assert re.fullmatch(r"[A-Za-z0-9._=-]{11,71}", slug(name))
    assert slug(name).strip(".") != ""


def test_directory_names_differ():
    assert slug("a>1") != slug("a<1")


def test_compiled_os_has_system_release_and_machine():
    assert compiled_os().startswith(sys.platform + "-")
    assert compiled_os().count("-") == 2
