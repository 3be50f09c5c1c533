"""The operations whose processor time is counted, sent by clients that cost next to nothing."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import generator

FILMS = Path(__file__).resolve().parents[2] / "data" / "movies.jsonl"
BATCH_KEYS = 100_000


def documents() -> list[str]:
    """The films, each brought to a kilobyte by its own plot once more.

    Straight quotation marks are bent: rgsync 1.2.0 cannot read a document that has them, and tries its batch forever.
    """
    found = []
    for line in FILMS.read_text(encoding="utf-8").splitlines():
        line = line.replace("'", "\u2019").replace(r"\"", "\u201d")
        film = json.loads(line)
        film["notes"] = (film["plot"] + " ") * 8
        film["notes"] = film["notes"][: max(0, 1010 - len(line.encode()))]
        found.append(json.dumps(film, ensure_ascii=False))
    return found


def json_set(port: int, prefix: str, count: int, clients: int, depth: int) -> float:
    """JSON.SET of films; operations a second."""
    films = documents()
    requests = [
        generator.encode(("JSON.SET", f"{prefix}:{i % len(films)}", "$", films[i % len(films)]))
        for i in range(count)
    ]
    return generator.run(port, [requests[i::clients] for i in range(clients)], depth)


def plain_set(port: int, count: int, clients: int, depth: int) -> float:
    """SET of three bytes; operations a second."""
    requests = [generator.encode(("SET", f"plain:{i % 500}", "xxx")) for i in range(count)]
    return generator.run(port, [requests[i::clients] for i in range(clients)], depth)


def fill(port: int) -> None:
    """Hashes for batch runs."""
    keys = [
        ("HSET", f"Batch:{i}", "n", i, "group", i % 50, "text", "x" * 100)
        for i in range(BATCH_KEYS)
    ]
    generator.run(port, [[generator.encode(words) for words in keys]], 500)


def read_all(port: int) -> float:
    """Type and value of each hash, by a client that does nothing with them; keys a second."""
    asked = [(("TYPE", f"Batch:{i}"), ("HGETALL", f"Batch:{i}")) for i in range(BATCH_KEYS)]
    requests = [generator.encode(words) for pair in asked for words in pair]
    return generator.run(port, [requests], 2000) / 2
