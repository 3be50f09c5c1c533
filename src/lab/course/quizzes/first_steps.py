"""Questions of notebooks 00 to 04."""

from __future__ import annotations

from lab.course.quizzes.question import Question

QUIZZES = {
    "00": (
        Question(
            "Which part answers `RG.PYEXECUTE` on the embedded stack?",
            (
                ("the front door, minigears", "It answers `RG.*` and relays all else to Redis."),
                ("Redis itself", "Today's Redis does not know `RG.*`; it would answer an error."),
                ("MongoDB", "MongoDB speaks another protocol and knows no Redis command."),
            ),
            "Redis appears twice in the table of the stack.",
        ),
        Question(
            "You close JupyterLab. What becomes of the stack?",
            (
                ("it runs on", "It belongs to no notebook: `lab down` stops it."),
                ("it stops", "The servers are not the kernel's children; they outlive it."),
                ("its data are deleted", "Closing a window deletes nothing; `lab reset` would."),
            ),
            "What did the second `lab.up()` start?",
        ),
        Question(
            "What is the price of write-behind?",
            (
                (
                    "for a moment MongoDB is behind",
                    "That moment is the lag; the course measures it.",
                ),
                ("writers wait longer", "They wait for Redis alone, which is the quicker one."),
                (
                    "some acknowledged writes are always lost",
                    "Loss is no part of the pattern; it is the fault of a recipe that acknowledges early.",
                ),
            ),
            "Look at the steps 1 and 3 in the diagram.",
        ),
    ),
    "01": (
        Question(
            "The storm has ended. Why do viewers who come now still wait?",
            (
                (
                    "they wait behind the queue",
                    "The queue has to be worked off before their turn.",
                ),
                ("the database has crashed", "It worked at its capacity all the time."),
                (
                    "each write has become slower",
                    "A write costs what it did; the wait is in the queue.",
                ),
            ),
            "Compare the two curves of arrivals and writes after second 4.",
        ),
        Question(
            "Why must the load be an open loop?",
            (
                (
                    "viewers do not wait for each other",
                    "They press pause when they like, and wait behind all earlier ones.",
                ),
                ("it is faster", "Speed is not the point; an open loop shows the wait as it is."),
                ("it needs fewer threads", "It needs more: one for each write that is under way."),
            ),
            "What would a client do that sends the next write after the last answer?",
        ),
        Question(
            "Why can a batch not be made while the viewer waits for this one write?",
            (
                ("it has to be collected first", "And the viewer would have to wait that long."),
                ("MongoDB has no batches", "It has: `bulk_write` sent one in this notebook."),
                ("a batch costs more than its writes", "It costs less: one way for all of them."),
            ),
            "Where do the other writes of the batch come from?",
        ),
    ),
    "02": (
        Question(
            "MongoDB is stopped. What does Redis do?",
            (
                (
                    "it answers as before",
                    "They are two processes; neither needs the other to answer.",
                ),
                ("it refuses writes", "Redis knows nothing of MongoDB; only the recipe does."),
                ("it stops, too", "No part stops another; `lab.stop` ends one process."),
            ),
            "What did the cell `02:while` show?",
        ),
        Question(
            "Redis crashes and starts again, on `appendfsync everysec`. What can be missing?",
            (
                (
                    "nothing after a crash of the process",
                    "What it wrote is with the operating system; a power cut may cost the last second.",
                ),
                ("everything: it is in memory", "The append-only file is read again at the start."),
                (
                    "all keys without a time to live",
                    "A time to live has nothing to do with the disk.",
                ),
            ),
            "Who holds what was written but not yet flushed: the process or the operating system?",
        ),
        Question(
            "Why are the ports published on `127.0.0.1` only?",
            (
                ("Gears runs whatever code it is sent", "So nobody else may reach it."),
                (
                    "it is faster",
                    "It is as fast either way; what matters is who can reach the port.",
                ),
                ("Docker demands it", "Docker's own default is every address of the machine."),
            ),
            "Think of `RG.PYEXECUTE` and a stranger on the network.",
        ),
    ),
    "02b": (
        Question(
            "A container is *started*. Does the server in it answer?",
            (
                ("not for certain", "So wait for the answer that you need."),
                ("yes", "Its process exists; Redis may still load its data."),
                (
                    "only with a network",
                    "A network is for other containers; it does not make it ready.",
                ),
            ),
            "What was the waiting strategy for?",
        ),
        Question(
            "By which name does one container of a network reach another?",
            (
                ("by its alias in the network", "Docker's name service knows it there."),
                ("by 127.0.0.1", "In a container that is the container itself."),
                (
                    "by the port on the host",
                    "That is for programs on the host, such as your notebook.",
                ),
            ),
            "The recipe that runs in Redis's container writes to `mongo`.",
        ),
        Question(
            "Why ask `get_exposed_port` and not write 6379 into the code?",
            (
                (
                    "the port on this machine is chosen at the start",
                    "So two of them can run side by side, and nothing collides.",
                ),
                ("6379 is reserved", "It is not; any program may have it."),
                ("Redis chooses another port inside", "Inside it is 6379; outside it is another."),
            ),
            "What if 6379 is taken already?",
        ),
    ),
    "03": (
        Question(
            "`find_one` by `movieId`, with no index. How many documents does MongoDB read?",
            (
                ("up to all of them", "It looks through the collection until one fits."),
                ("one", "Without an index it cannot know where that one is."),
                ("none", "Something has to be read to be found."),
            ),
            "What did the plan of the query say before the index was made?",
        ),
        Question(
            "A user types `3:10 to Yuma` into your search box. What do you do with it?",
            (
                ("take its words, and build the query yourself", "The signs in a query are yours."),
                ("put it into the query as it is", "Punctuation is part of the query's language."),
                ("refuse it", "It is a title; the user did nothing wrong."),
            ),
            "The query's language gives `:` a meaning.",
        ),
        Question(
            "Why does `make_key` set the keys to `MovieEntity:` and the id?",
            (
                (
                    "the recipe watches that prefix",
                    "A key of another form is a change it never sees.",
                ),
                ("Redis allows no other keys", "Redis takes any bytes for a key."),
                ("searching needs it", "The index has a prefix, too, but it could be any."),
            ),
            "Which changes will notebook 06 react to?",
        ),
    ),
    "04": (
        Question(
            "A step raises for one record. What does the client see?",
            (
                (
                    "an entry in the reply's second list",
                    "Look at `errors`, or you take half for all.",
                ),
                ("an exception", "Only a script that fails itself is an error reply."),
                ("nothing, anywhere", "It is reported, but not where most people look."),
            ),
            "A reply of `RG.PYEXECUTE` has two lists.",
        ),
        Question(
            "An age in a hash is `40`. Of which type is it in the record?",
            (
                ("text", "A hash holds strings; convert it before you compare it."),
                ("a number", "In Redis it is no number: as texts, `9` is greater than `40`."),
                ("it depends on the value", "A hash knows one type only."),
            ),
            "What does `HGET` answer?",
        ),
        Question(
            "What does the action `run` do?",
            (
                ("it starts the flow once", "Once, over what is there now."),
                ("it registers the flow for later", "That is `register`, in the next notebook."),
                ("it checks the script only", "It runs it, and its writes are real."),
            ),
            "After `run`, does a new key start anything?",
        ),
    ),
}
