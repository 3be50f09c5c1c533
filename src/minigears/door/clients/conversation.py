"""What a client says that the door itself attends to, one command after the other. Pure: no I/O.

Nothing here waits. `_advance` takes pending commands until one needs a reply that is not there yet, or is to be
served; that reply, or the end of the serving, calls it again. The sockets are `client.py`'s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from minigears.door.clients.batches import Batch
from minigears.door.clients.queued import Queued
from minigears.door.clients.relaying import Effects, Relaying, Watching
from minigears.door.clients.states import (
    SERVED,
    STOPPED,
    Login,
    Place,
    State,
    Told,
    Transition,
    WrongStateError,
)
from minigears.door.commands.classifier import Kind, is_hello, reply_mode
from minigears.interest import OFFSET_CHANNEL
from minigears.protocol import Command, encode_command

_MISSING = Login.MISSING


class Conversation(Relaying):
    """Adds to the relaying what happens while a command needs more than forwarding, and others wait."""

    def __init__(self, watch: Watching, effects: Effects, place: Place):
        super().__init__(watch, effects, place)
        self._told = Told.ALL

    # how it begins and ends

    def introduce(self, then: Callable[[], None]) -> None:
        """Ask Redis whether it serves this client as it is; if not, replies are counted from here.

        Whom Redis does not let say PING, no marker would find later.
        """

        def heard(reply: bytes) -> None:
            if reply.startswith(b"+"):
                self._login = Login.NOT_NEEDED
                self.replies.stop_counting()
            then()

        self.replies.count_from_start()
        self.ask([b"PING"], heard)

    @property
    def welcome(self) -> bool:
        """Whether Redis serves this client without a password."""
        return self._login is Login.NOT_NEEDED

    def begin(self, data: bytes, protocol: int, wrote_elsewhere: bool) -> None:
        """From here on the client is relayed, beginning with `data`.

        It speaks this RESP version, and its last write may have gone over another connection.
        """
        self.protocol = protocol
        self._batches.wrote_elsewhere = wrote_elsewhere
        if data:
            self.received(data)

    def cut_short(self) -> None:
        """Drop what is still to be done: who asked for it is long gone, or has given up."""
        self._pending.clear()
        self._error = None
        if self.place.now is State.SERVING:
            self.place.take(Transition.ABANDON)
        elif self.place.now is State.WAITING:
            self._rest()

    # one pending command after the other

    def _attend(self) -> None:
        self.place.take(Transition.STOP)
        self._advance()

    def served(self) -> None:
        """The command that was being served is done."""
        if self.place.now in SERVED:
            self.place.take(Transition.END_SERVING)
            self._batches.count()
            self._advance()

    def _advance(self) -> None:
        """Serve and forward pending commands until something has to be waited for."""
        try:
            while self.place.now is State.WAITING and self._step():
                pass
        except Exception as error:
            self._effects.failed(error)

    def _step(self) -> bool:
        """Do the next thing; returns whether there is one after it that needs not wait."""
        if self._told is Told.ALL_BUT_THIS:
            if not self._drained():
                return False
            self.tell(Told.ALL)
        if not self._pending:
            self._end()
            return False
        argv = self._pending[0] = self._capture(self._pending[0])
        kind = self._watch.classifier.kind(argv)
        if self._told is Told.ALL_BUT_NEXT and _is_always_answered(kind, argv):
            self.tell(Told.ALL)
        if self._batches.stops(kind, self._counting):
            return self._stop(kind)
        if self._login is _MISSING and self._asks_for_more():
            return self._drained() and self._ask_whether_served()
        self._forward_pending()
        return True

    def _stop(self, kind: Kind) -> bool:
        """Do what the next command needs beside forwarding, once all earlier ones are answered."""
        if (kind is not Kind.RESET or self._counting) and not self._drained():
            return False
        if kind in (Kind.SPECIAL, Kind.EXEC):
            self.place.take(Transition.SERVE)
            self._effects.serve(self._next())
            return False
        if kind is Kind.OFFSET:
            self._batches.wrote_elsewhere = False
            self.ask([b"PUBLISH", OFFSET_CHANNEL, b""], lambda reply: self._advance())
            return False
        if kind is Kind.RESET:
            self._reset(self._next())
        else:
            self.replies.stop_counting()
            self._batches.reset()
        return True

    def _next(self) -> Command:
        """Take the next command off; its reply may be the one that is not wanted."""
        if self._told is Told.ALL_BUT_NEXT:
            self.tell(Told.ALL_BUT_THIS)
        return self._pending.popleft()

    def _forward_pending(self) -> None:
        """Forward what comes next: one command if its reply is not wanted, else up to one that stops."""
        if self._told is Told.ALL_BUT_NEXT:
            self._forward(deque([self._next()]))
        else:
            self._forward(self._pending)

    def _drained(self) -> bool:
        """Whether every command forwarded so far is answered; if not, `_advance` is called when it is."""
        if self.replies.drained:
            return True
        if not self._counting:
            self._count()
        self.replies.when_drained(self._advance)
        return False

    def _asks_for_more(self) -> bool:
        """Whether something would be done here for one of the pending commands."""
        kind = self._watch.classifier.kind
        return any(kind(argv) is not Kind.PLAIN for argv in self._pending)

    def _ask_whether_served(self) -> bool:
        """Redis refused the client once: it may ask for no password any more."""

        def heard(said: bytes) -> None:
            if self.place.now is State.WAITING:
                if not said.startswith(b"-NOAUTH"):
                    self.trust(count=said.startswith(b"-"))
                self._forward_pending()
                self._advance()

        self.ask([b"PING"], heard)
        return False

    def _reset(self, argv: Command) -> None:
        """Forward `RESET`; raises WrongStateError when replies are counted and one is missing."""
        self._batches.watching = False
        self._batches.reset()
        self.tell(Told.ALL)
        self.replies.stop_counting()
        self._emit(encode_command(argv))
        self.protocol = 2
        if self._login is Login.DONE:
            self._login = Login.MISSING

    def _end(self) -> None:
        """Nothing is pending: rest, or refuse what made no sense once all before it is answered."""
        if not self._error:
            self._rest()
        elif self._drained():
            self._effects.refuse(str(self._error))

    def _rest(self) -> None:
        """Nothing waits in the door any more: relay, or wait for the command that is to be skipped."""
        skip = self._told is Told.ALL_BUT_NEXT
        self.place.take(Transition.SKIP if skip else Transition.GO_ON)
        self._pending_bytes = 0
        self._effects.reading.resume("pending")
        self._effects.reading.resume("login")
        self._check_input()
        self._effects.came_to_rest()

    # what those who serve a command use

    @property
    def in_multi(self) -> bool:
        """Whether the client is between MULTI and EXEC."""
        return self._batches.in_multi

    @property
    def abandoned(self) -> bool:
        """Whether the client left so long ago that what it asked for is dropped."""
        return self.place.now is State.ABANDONED

    @property
    def address(self) -> bytes:
        """The client's, as Redis would tell it; empty where it has none."""
        return self._effects.address

    def ask(
        self, argv: Command, callback: Callable[[bytes], None], past_messages: bool = False
    ) -> None:
        """Send a command on this client's connection and take its reply away; see `ReplyStream.capture`.

        Raises:
            WrongStateError: a command before it is not answered yet.
        """
        self.ask_all([argv], callback, past_messages)

    def ask_all(
        self,
        commands: list[Command],
        callback: Callable[[bytes], None],
        past_messages: bool = False,
    ) -> None:
        """The same for several: what is called back with is their replies, one behind the other."""
        self.replies.capture(callback, past_messages, len(commands))
        self._send(b"".join(map(encode_command, commands)), Batch(commands))

    def forward(self, argv: Command) -> None:
        """Forward one command as if it had not been stopped; drop it if its client is long gone.

        Raises:
            WrongStateError: a command before it is not answered yet.
        """
        if self.abandoned:
            return
        if not self.replies.drained:
            raise WrongStateError("a command is forwarded before its turn")
        classifier = self._watch.classifier
        keys = self._batches.concerned(argv, Kind.KEYED, classifier)
        blocking = self._watch.table.is_blocking(argv[0])
        self._send(encode_command(argv), Batch([argv], 1, list(keys), blocking))

    def reply(self, raw: bytes) -> None:
        """Answer the command that is being served."""
        if not self.replies.discard:
            self._effects.write(raw)

    def tell(self, told: Told) -> None:
        """Pass these replies on from here, and no others."""
        self._told = told
        self.replies.discard = told in (Told.ALL_BUT_THIS, Told.NONE)

    @property
    def told(self) -> Told:
        """Which replies are passed on."""
        return self._told

    def queue(self, argv: Command, mark: bytes | None = None) -> None:
        """Inside MULTI: note a command that needs more than Redis; see `transactions.Queued`."""
        self._batches.queue(argv, mark)

    def take_queue(self) -> tuple[list[Queued], int, set[bytes]]:
        """End the transaction; see `Batches.take_queue`."""
        return self._batches.take_queue()

    def agreed(self, argv: Command) -> None:
        """Redis has carried out a command that was served: after `HELLO` the client speaks another RESP."""
        if is_hello(argv):
            self.protocol = int(argv[1])

    def trust(self, count: bool) -> None:
        """Redis has let the client log in; `count` says to go on counting replies.

        Raises:
            WrongStateError: a command is not answered yet.
        """
        if self._login is _MISSING:
            self._login = Login.DONE
        if not (count or self.replies.discard):
            self.replies.stop_counting()

    @property
    def stuck(self) -> bool:
        """Whether a command waits for nothing but redis-server."""
        return self.place.now in STOPPED and self.replies.asked


def _is_always_answered(kind: Kind, argv: Command) -> bool:
    """Whether `CLIENT REPLY SKIP` does not hold: what changes how replies are told, or is answered by messages."""
    return kind in (Kind.RESET, Kind.STREAMING) or bool(reply_mode(argv))
