"""The environment of the programs that the lab starts, without what the learner's shell says to others.

`PIP_USER=1`, a `PYTHONPATH`, a `uv.toml` that names a target: each is meant for other work and breaks
this. What says where packages come from is kept, from wherever pip or uv would take it, and told to
both. Set-up runs this with nothing but Python, so it uses the standard library only.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_HARMLESS = {"PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONUNBUFFERED"}
_DROPPED = {"VIRTUAL_ENV", "CONDA_PREFIX", "__PYVENV_LAUNCHER__"}
_OF_PIP = {
    f"PIP_{name}"
    for name in (
        *("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "TRUSTED_HOST", "CERT"),
        *("CLIENT_CERT", "PROXY", "TIMEOUT", "DEFAULT_TIMEOUT", "RETRIES", "CACHE_DIR"),
    )
}
_OF_UV = {
    f"UV_{name}"
    for name in (
        *("DEFAULT_INDEX", "INDEX", "INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX"),
        *("OFFLINE", "INSECURE_HOST", "INDEX_STRATEGY", "KEYRING_PROVIDER", "NATIVE_TLS"),
        *("SYSTEM_CERTS", "HTTP_TIMEOUT", "HTTP_RETRIES", "CACHE_DIR", "LINK_MODE", "NO_PROGRESS"),
    )
}
_SAME = {  # what pip is told, and what tells uv the same
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    "PIP_CERT": "SSL_CERT_FILE",
    "PIP_PROXY": "ALL_PROXY",
}


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` with nothing in it that leads Python, pip or uv elsewhere; text is UTF-8."""
    kept = {name: value for name, value in environ.items() if _is_kept(name)}
    return {**kept, "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1"}


def isolated(environ: Mapping[str, str], cache: Path) -> dict[str, str]:
    """Return the environment for pip and uv: a clean one, with the package index that is meant.

    That is the one of the environment, else of the user's uv.toml, else of pip.conf. Where `cache`
    holds the wheels of an offline kit, packages come from there and nowhere else.
    """
    made = clean(environ)
    wheels = cache / "wheels"
    made |= _of_kit(wheels) if wheels.is_dir() else _of_index(made, environ)
    made |= {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    made |= {"UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never"}
    for tool in ("uv", "pip"):
        made.setdefault(f"{tool.upper()}_CACHE_DIR", str(cache / tool))
    return made


def for_packages(environ: Mapping[str, str], cache: Path) -> dict[str, str]:
    """Return of `isolated` what pip and uv alone read: for a program that also does other things."""
    made = isolated(environ, cache)
    return {name: value for name, value in made.items() if name.startswith(("PIP_", "UV_"))}


def _is_kept(name: str) -> bool:
    if name.startswith("PYTHON"):
        return name in _HARMLESS
    if name.startswith("PIP_"):
        return name in _OF_PIP
    if name.startswith("UV_"):
        login = name.startswith("UV_INDEX_") and name.endswith(("_USERNAME", "_PASSWORD"))
        return login or name in _OF_UV
    return name not in _DROPPED


def _of_kit(wheels: Path) -> dict[str, str]:
    # As a URL: pip splits what it is given at spaces, and uv at commas.
    place = wheels.resolve().as_uri().replace(",", "%2C")
    return {
        "PIP_FIND_LINKS": place,
        "PIP_NO_INDEX": "1",
        "UV_FIND_LINKS": place,
        "UV_OFFLINE": "1",
    }


def _of_index(environment: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the environment and both tools' own files say of the index, told to both."""
    files = (_from_uv_toml(environ), _from_pip_conf(environ))
    told = {**files[1], **files[0], **environment}
    if "PIP_EXTRA_INDEX_URL" in told and "UV_EXTRA_INDEX_URL" not in told:
        told.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")  # all are equal, as for pip
    if "PIP_FIND_LINKS" in told:
        told.setdefault("UV_FIND_LINKS", ",".join(told["PIP_FIND_LINKS"].split()))
    for pip, uv in _SAME.items():
        if pip in told:
            told.setdefault(uv, told[pip])
    names = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
    every = (said[name] for said in (environment, *files) for name in names if name in said)
    if index := next(every, None):
        for name in ("UV_DEFAULT_INDEX", "PIP_INDEX_URL"):
            told[name] = environment.get(name, index)
    return told


def _from_pip_conf(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what pip's files say of the index, as the variables that say the same."""
    home = Path(environ.get("HOME") or Path.home())
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path("/etc/pip.conf"), Path("/etc/xdg/pip/pip.conf"), home / ".pip" / "pip.conf"]
    files += [home / "Library" / "Application Support" / "pip" / "pip.conf"]
    files += [config / "pip" / "pip.conf", Path(environ.get("APPDATA") or home) / "pip" / "pip.ini"]
    files += [Path(environ.get("PIP_CONFIG_FILE") or os.devnull)]
    parser = configparser.RawConfigParser(strict=False)
    for file in files:
        with contextlib.suppress(OSError, configparser.Error, UnicodeDecodeError):
            parser.read_string(file.read_text(encoding="utf-8"))
    said = {}
    for section in ("global", "install"):
        for name, value in parser.items(section) if parser.has_section(section) else ():
            said["PIP_" + name.upper().replace("-", "_")] = " ".join(value.split())
    return {name: value for name, value in said.items() if name in _OF_PIP}


def _from_uv_toml(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the user's uv.toml says of the index; nothing where Python cannot read TOML."""
    home = Path(environ.get("HOME") or Path.home())
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    file = Path(environ.get("UV_CONFIG_FILE") or config / "uv" / "uv.toml")
    try:
        import tomllib

        settings: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (ImportError, OSError, ValueError):
        return {}
    indexes = [*settings.get("index", ()), *settings.get("pip", {}).get("index", ())]
    default = [index["url"] for index in indexes if index.get("default")]
    default += [
        found["index-url"] for found in (settings, settings.get("pip", {})) if "index-url" in found
    ]
    others = [index["url"] for index in indexes if not index.get("default")]
    others += settings.get("extra-index-url", [])
    said = {"UV_EXTRA_INDEX_URL": " ".join(others), "UV_DEFAULT_INDEX": "".join(default[:1])}
    return {name: value for name, value in said.items() if value}


def main() -> None:
    """Run a command with `isolated`: python -m lab.environment CACHE COMMAND WORDS…."""
    cache, *words = sys.argv[1:]
    os.execvpe(words[0], words, isolated(os.environ, Path(cache).resolve()))


if __name__ == "__main__":
    main()
