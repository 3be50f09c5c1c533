"""What a captured write costs redis-server in instructions, which no busy machine changes. Needs valgrind.

python -m benchmarks.instructions [--calls 1000]
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from benchmarks import generator
from benchmarks.recipes import BARE, LIMITS, documents
from recipes.streams import Partitions, WriteBehind
from recipes.streams.client.parcels import Lane, Parcel
from tests.ending import end_in_order
from tests.recipes.twelve.servers import RedisServer

Words = Callable[[int, str], list[object]]


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
    """Count instructions of JSON.SET, of the barest function, and of a captured write."""
    end_in_order()
    with tempfile.TemporaryDirectory() as folder:
        server = Counted(Path(folder))
        server.start()
        try:
            wb = WriteBehind(server.client(), Partitions(1), LIMITS)
            wb.prepare()
            wb.redis.execute_command("FUNCTION LOAD", BARE)
            stream, texts = wb.partitions[0].stream, documents()

            def captured(n: int, text: str) -> list[object]:
                call = wb.call("JSON.SET", f"Movie:{n % 500}", "$", text)
                return Parcel([call], Lane("0123456789abcdef"), n + 1).words(LIMITS)

            arms: dict[str, Words] = {
                "JSON.SET": lambda n, text: ["JSON.SET", f"Plain:{n % 500}", "$", text],
                "JSON.SET and XADD in a function": lambda n, text: [
                    "FCALL", "bare", 2, f"Bare:{n % 500}", stream, text,
                ],
                "captured": captured,
            }  # fmt: skip
            for name, words in arms.items():
                said = [
                    generator.encode(words(n, texts[n % len(texts)])) for n in range(500 + calls)
                ]
                generator.run(server.port, [said[:500]])
                server.count()
                generator.run(server.port, [said[500:]])
                print(f"{name}: {server.count() / calls:,.0f} instructions")
        finally:
            server.kill()


if __name__ == "__main__":
    main()
