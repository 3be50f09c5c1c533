"""What the door does with a command, by the registrations of now. Pure look-ups, on the hot path."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from operator import itemgetter

import hiredis

from minigears.commandtable import SCRIPTS, CommandTable
from minigears.door.capture.calls import call
from minigears.door.capture.captures import Captures
from minigears.door.commands.shapes import MAX_NAME, Glance
from minigears.door.commands.shareable import Shared, Use
from minigears.door.events.notifications import SETTING
from minigears.interest import KEYSPACE, Interest
from minigears.protocol import Command


class Kind(enum.IntEnum):
    """What the door does with a command, by its name."""

    PLAIN = 0
    """Pass it on."""
    KEYED = 1
    """It may change keys, and some registration is about keys: look at them."""
    MULTI = 2
    EXEC = 3
    DISCARD = 4
    BLOCKING = 5
    """Its reply may take long: what came before must not wait for it."""
    STREAMING = 6
    """What follows is no longer one reply for each command."""
    SUBCOMMAND = 7
    """Its second word decides."""
    SPECIAL = 8
    """The door answers it, or asks the executor first."""
    RESET = 9
    """The connection is as new."""
    ABORT = 10
    """EXEC with words behind it: Redis refuses it, and ends the transaction."""
    CACHING = 11
    """It is about the command that follows: nothing may come between."""
    OFFSET = 12
    """It waits for replicas to have the client's writes, wherever those went, or for their being saved."""
    WATCH = 13
    """It changes what has to stay as it is until EXEC."""
    SCRIPT = 14
    """Whether it is captured decides: its keys do."""


_BARE = {
    b"multi": Kind.MULTI,
    b"exec": Kind.EXEC,
    b"discard": Kind.DISCARD,
    b"reset": Kind.RESET,
}
"""They change the state of the connection; with words behind them Redis refuses them."""
_STREAMING = frozenset(
    b"subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe monitor sync psync".split()
)
_BY_SUBCOMMAND = frozenset(b"command client config function info hello publish".split())
"""`HELLO` apart, a hook stands in front of them whatever their second word is."""
_REPLACING = frozenset({b"delete", b"flush", b"load", b"restore"})
"""Subcommands of FUNCTION that may take away the library that holds the registrations."""

_OFFSET = frozenset({b"wait", b"waitaof"})
"""Redis answers them by the offset of the connection's last write."""

TAKES_AWAY = frozenset({b"swapdb", b"flushall"})
"""Commands that concern all keys, the journal's among them."""
SHOW_MINIGEARS = frozenset({b"minigears", b"default", b"all", b"everything"})
"""Sections of INFO that show minigears, too."""

_MAX_NAMES = 1000
"""Names that are remembered, beside those of Redis's own commands in small or in capital letters."""

_MAX_SCANNED = 8
"""Prefixes to look for in a whole chunk; with more of them, looking at each key is quicker."""

_name = itemgetter(0)
_WRITES, _CAPTURED = (
    Use.WRITES,
    Use.CAPTURED,
)  # Python 3.11 takes its time to find the member of an enum
_NOTHING: tuple[bytes, ...] = ()


class Classifier(dict[bytes, Kind]):
    """Kinds by command name as clients spell it, worked out at first sight.

    One is made for each interest and command table; it never changes its mind.
    """

    def __init__(self, table: CommandTable, interest: Interest, captures: Captures | None = None):
        super().__init__()
        self._captures = captures or Captures()
        self._table = table
        self._interest = interest
        self._special = interest.special_commands
        self._any_key = interest.reads_matter
        self._concerns = interest.concerns
        self._places: dict[bytes, int] = {}
        """Where the only key stands, for commands that have just one at a fixed place."""
        self._watched = _few(interest.watched)
        """What no chunk has in it whose commands concern no registration; nothing is in all."""
        self._captured = _few(self._captures.prefixes)
        """The same of captures, which writes alone concern."""
        self._scanned = _few((*self._watched, *self._captured))
        self._glance = Glance()
        self._shared = Shared(but=interest.special_commands)
        self._reader = hiredis.Reader()
        self._harmless: set[bytes] = set()
        """Names of commands that concern a registration by their keys only, if at all."""

    def __missing__(self, name: bytes) -> Kind:
        kind = self._kind_of(name.lower())
        if self._may_remember(name):
            self[name] = kind
            publishes = kind is Kind.SUBCOMMAND and name.lower() == b"publish"
            if kind in (Kind.PLAIN, Kind.KEYED, Kind.SCRIPT) or publishes:
                self._harmless.add(name)
            place = self._table.only_key(name)
            if place is not None:
                self._places[name] = place
        return kind

    def _may_remember(self, name: bytes) -> bool:
        """Names that a client makes up must neither fill the memory nor keep others from being known."""
        if len(name) > MAX_NAME:
            return False
        usual = name in (name.lower(), name.upper()) and self._table.knows(name)
        return usual or len(self) < _MAX_NAMES

    def glance(self, data: bytes) -> bool:
        """Whether `data` is nothing but whole commands that can go to Redis as they are.

        Costs next to nothing. False only means: parse them, and ask `passes`.
        """
        for prefix in self._scanned:
            if prefix in data:
                return False
        return self._glance.covers(data)

    def passes(self, commands: Sequence[Command], raw: bytes) -> bool:
        """Whether `raw`, which holds these commands, can go to Redis as it is.

        False only means: look at them one by one.
        """
        for prefix in self._scanned:
            if prefix in raw:
                return False
        if not self._harmless.issuperset(map(_name, commands)):
            return False
        self._glance.learn(commands)
        return True

    def shared(self, data: bytes) -> tuple[Use, Sequence[bytes]] | None:
        """What the one command does that `data` consists of, if clients may share a connection for it.

        Beside it: its keys that concern a registration. None only means: parse it, and ask `shared_command`.
        Of what may be captured, ask `Captures.write`.
        """
        found = self._shared.use(data)
        if found is None:
            return None
        use, at = found
        if not self._scanned:
            return use, _NOTHING
        key = data.find(b"\r\n", at) + 2
        captured = use is _WRITES and data.startswith(self._captured, key)
        if data.startswith(self._watched, key):
            return None if captured else (use, self._concerned_in(data))
        return (_CAPTURED if captured else use), _NOTHING

    def captured(self, data: bytes, protocol: int) -> bytes | None:
        """`data` with the calls that capture writes in their places, if nothing else has to be done for it.

        None only means: parse it.
        """
        if not any(map(data.__contains__, self._captured)):
            return None
        if any(map(data.__contains__, self._watched)):
            return None
        commands = self._shared.cut(data)
        if commands is None:
            return None
        calls: list[bytes] = []
        for use, at, raw in commands:
            if use is not _WRITES or not raw.startswith(self._captured, raw.find(b"\r\n", at) + 2):
                calls.append(raw)
            elif write := self._captures.write(raw):
                calls.append(call(write, protocol))
            else:
                return None
        return b"".join(calls)

    def shared_command(self, argv: Command) -> tuple[Use, Sequence[bytes]] | None:
        """The same for a command that was parsed."""
        use = self._shared.use_of(argv)
        if use is None or any(map(self._captures.concerns, self._table.written_keys(argv))):
            return None
        return use, self.concerned(argv)

    def _concerned_in(self, data: bytes) -> Sequence[bytes]:
        """The same as `concerned`, of bytes that are known to be one whole command."""
        self._reader.feed(data)
        argv = self._reader.gets()
        assert isinstance(argv, list)
        return self.concerned(argv)

    def kind(self, argv: Command) -> Kind:
        """What to do with this command."""
        kind = self[argv[0]]
        if kind is Kind.SUBCOMMAND:
            return _by_subcommand(argv)
        if kind is Kind.SCRIPT:
            captured = self._captures.is_script(argv, self._table)
            return Kind.SPECIAL if captured else self._by_keys(argv[0])
        if len(argv) > 1 and argv[0].lower() in _BARE:
            return Kind.ABORT if kind is Kind.EXEC else Kind.PLAIN
        return kind

    def concerned(self, argv: Command) -> Sequence[bytes]:
        """Keys that a command may change (or read, if that matters) and a registration is about."""
        place = self._places.get(argv[0])
        if place is not None:
            if place < len(argv) and self._concerns(argv[place]):
                return (argv[place],)
            return _NOTHING
        keys = self._table.keys(argv) if self._any_key else self._table.written_keys(argv)
        return [key for key in keys if self._concerns(key)]

    def _kind_of(self, name: bytes) -> Kind:
        if name.startswith(b"rg.") or name == b"auth":
            return Kind.SPECIAL
        if name in _BY_SUBCOMMAND and name not in self._special:
            return Kind.SUBCOMMAND
        if name in _BARE:
            return _BARE[name]
        if name in _STREAMING:
            return Kind.STREAMING
        if name in self._special:
            return Kind.SPECIAL
        if name in _OFFSET:
            return Kind.OFFSET
        if name in TAKES_AWAY or name == b"slowlog":
            return Kind.SPECIAL
        if name in (b"watch", b"unwatch"):
            return Kind.WATCH
        if name in SCRIPTS and self._captures.prefixes:
            return Kind.SCRIPT
        return self._by_keys(name)

    def _by_keys(self, name: bytes) -> Kind:
        """Of a command that nothing but its keys makes more than one to pass on."""
        if not self._interest:
            return Kind.PLAIN
        if self._table.is_blocking(name):
            return Kind.BLOCKING
        keyed = self._table.is_write(name) or self._any_key
        return Kind.KEYED if keyed and self._interest.keys else Kind.PLAIN


def _few(prefixes: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Prefixes to look for, or what is in everything."""
    return prefixes if len(prefixes) <= _MAX_SCANNED else (b"",)


def _by_subcommand(argv: Command) -> Kind:
    if [word.lower() for word in argv[:2]] == [b"client", b"caching"]:
        return Kind.CACHING
    return Kind.SPECIAL if _special_subcommand(argv) else Kind.PLAIN


def _special_subcommand(argv: Command) -> bool:
    words = [word.lower() for word in argv[:2]]
    if words == [b"command", b"info"]:
        return any(name.lower().startswith(b"rg.") for name in argv[2:])
    if words[0] == b"hello":
        return len(argv) > 1  # it changes how replies look, or who the client is
    if words[0] == b"info":
        sections = [word.lower() for word in argv[1:]]
        of_gears = any(map(shows_gears, sections))
        return not sections or of_gears or not SHOW_MINIGEARS.isdisjoint(sections)
    if words == [b"config", b"set"]:
        return SETTING in map(bytes.lower, argv[2::2])
    if words[0] == b"publish":
        return is_forged_event(argv)
    if words[0] == b"function":
        return words[-1] in _REPLACING
    return is_client_reply(argv)


def is_forged_event(argv: Command) -> bool:
    """Whether what it publishes would look like an event that Redis tells of."""
    return len(argv) > 1 and argv[0].lower() == b"publish" and argv[1].startswith(KEYSPACE)


def shows_gears(section: bytes) -> bool:
    """Whether it is a section of INFO, in small letters, that has what RedisGears shows of itself."""
    return section in (b"rg", b"modules", b"everything") or section.startswith(b"rg_")


def is_hello(argv: Command) -> bool:
    """Whether it asks for a RESP version."""
    return len(argv) > 1 and argv[0].lower() == b"hello"


def reply_mode(argv: Command) -> bytes:
    """The `on`, `off` or `skip` of a `CLIENT REPLY` that makes sense; else nothing."""
    mode = argv[2].lower() if len(argv) == 3 and is_client_reply(argv) else b""
    return mode if mode in (b"on", b"off", b"skip") else b""


def is_client_reply(argv: Command) -> bool:
    """Whether it is `CLIENT REPLY`."""
    return [word.lower() for word in argv[:2]] == [b"client", b"reply"]
