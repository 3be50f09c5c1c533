"""What a captured write costs redis-server in instructions, which no busy machine changes. Needs valgrind.

python -m benchmarks.recipes.instructions [--calls 1000]
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from benchmarks import generator
from benchmarks.recipes.bench import BARE, LIMITS, documents
from minigears.door.capture.calls import Write, call
from minigears.door.capture.calls import calls as encode_calls
from minigears.door.capture.captures import Captures
from minigears.door.capture.queue import Queue
from recipes.streams import Partitions, WriteBehind
from recipes.streams.client.parcels import Lane, Parcel
from tests.ending import end_in_order
from tests.recipes.twelve.world.servers import RedisServer

Request = Callable[[int, str], bytes]
TEN = "ten of several clients captured at the door in one call, each"


def encoded(*words: object) -> bytes:
    """A command."""
    return generator.encode(words)


class Counted(RedisServer):
    """A redis-server whose instructions are counted while it carries out commands."""

    def argv(self) -> list[str]:
        """The same under valgrind."""
        out = f"--callgrind-out-file={self.folder}/counted"
        return [
            "valgrind",
            "--tool=callgrind",
            out,
            "--toggle-collect=processCommand",
            *super().argv(),
        ]

    def count(self) -> int:
        """Instructions since the last time."""
        assert self.process is not None
        subprocess.run(
            ["callgrind_control", "-d", str(self.process.pid)], capture_output=True, check=True
        )
        newest = max(self.folder.glob("counted.*"), key=lambda path: int(path.suffix[1:]))
        found = re.search(
            r"^(?:totals|summary): (\d+)", newest.read_text("utf-8", errors="replace"), re.M
        )
        assert found is not None
        return int(found[1])


@click.command()
@click.option("--calls", default=1000, show_default=True)
def main(calls: int) -> None:
    """Count instructions of JSON.SET, of the barest function, and of captured writes."""
    end_in_order()
    with tempfile.TemporaryDirectory() as folder:
        server = Counted(Path(folder))
        server.start()
        try:
            wb = WriteBehind(server.client(), Partitions(1), LIMITS)
            wb.prepare()
            wb.redis.execute_command("FUNCTION LOAD", BARE)
            stream, texts = wb.partitions[0].stream, documents()

            def captured(n: int, text: str) -> bytes:
                document = wb.call("JSON.SET", f"Movie:{n % 500}", "$", text)
                parcel = Parcel([document], Lane("0123456789abcdef"), n + 1)
                return generator.encode(parcel.words(LIMITS))

            door = Captures({b"Door:": Queue(partitions=1)})

            def at_the_door(n: int) -> Write:
                write = door.write(
                    generator.encode(["JSON.SET", f"Door:{n % 500}", "$", texts[n % len(texts)]])
                )
                assert write is not None
                return write

            arms: dict[str, Request] = {
                "JSON.SET": lambda n, text: encoded("JSON.SET", f"Plain:{n % 500}", "$", text),
                "JSON.SET and XADD in a function": lambda n, text: encoded(
                    "FCALL", "bare", 2, f"Bare:{n % 500}", stream, text
                ),
                "captured": captured,
                "captured at the door": lambda n, text: call(at_the_door(n), 2),
                TEN: lambda n, text: encode_calls([at_the_door(10 * n + i) for i in range(10)], 2),
            }
            for name, request in arms.items():
                said = [request(n, texts[n % len(texts)]) for n in range(500 + calls)]
                generator.run(server.port, [said[:500]])
                server.count()
                generator.run(server.port, [said[500:]])
                each = server.count() / calls / (10 if name is TEN else 1)
                print(f"{name}: {each:,.0f} instructions")
        finally:
            server.kill()


if __name__ == "__main__":
    main()
