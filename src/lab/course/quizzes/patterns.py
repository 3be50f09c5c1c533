"""Questions of notebooks 05 to 08."""

from __future__ import annotations

from lab.course.quizzes.question import Question

QUIZZES = {
    "05": (
        Question(
            "The same script is registered twice, then one key changes. How often does it run?",
            (
                ("twice", "Registrations add up: use `ID … UPGRADE`, or unregister first."),
                ("once", "`register` adds; it never replaces what is there."),
                ("not at all", "Two registrations do not disturb each other."),
            ),
            "What did the counter `runs` say?",
        ),
        Question(
            "A synchronous function raises. What does the writer see?",
            (
                ("its usual reply", "Only `numFailures` and `lastError` show it."),
                ("an error", "The write is done, and its reply comes as usual."),
                ("its write is undone", "Nothing is rolled back; the key has changed."),
            ),
            "What was the reply to `HSET` when `pay` failed?",
        ),
        Question(
            "Your `eventTypes` are `hset` and `del`. Somebody calls `HINCRBY`. What happens?",
            (
                ("nothing: you miss a change", "A list that forgets an event loses its changes."),
                (
                    "the function runs: the hash has changed",
                    "An event has a name, and it is not listed.",
                ),
                ("Redis refuses the command", "Redis knows nothing of your list."),
            ),
            "What is the event of `HINCRBY` called?",
        ),
    ),
    "06": (
        Question(
            "Redis has answered OK to a `JSON.SET`. What is certain?",
            (
                ("the change is in the stream", "So it will reach MongoDB, at least once."),
                ("MongoDB has the document", "That comes a moment later; the moment is the lag."),
                ("nothing", "The capture runs before the reply: the entry is there."),
            ),
            "In what order are the steps 2, 3 and 4 of the diagram?",
        ),
        Question(
            "The recipe is registered a second time. What becomes of entries that wait?",
            (
                (
                    "they are read by the new registration",
                    "The stream keeps its name, so none is lost.",
                ),
                ("they are lost", "With rgsync's classes they would be: those take a new stream."),
                (
                    "they are written twice as often",
                    "The old registration goes once the new one stands.",
                ),
            ),
            "What did the recipe's last lines remove, and what stayed?",
        ),
        Question(
            "One title with an apostrophe, and the naive connector. What is the damage?",
            (
                ("nothing arrives any more", "Everything behind it waits forever."),
                (
                    "that one movie is missing",
                    "The batch fails as a whole, and it is tried forever.",
                ),
                ("the writer gets an error", "The writer had its OK and notices nothing."),
            ),
            "Did *Alien* arrive, which came later?",
        ),
    ),
    "07": (
        Question(
            "What does an empty stream prove?",
            (
                ("that nothing waits", "No more than that: the proof is a comparison."),
                (
                    "both stores are equal",
                    "Entries can go without being written; compare the stores.",
                ),
                ("that MongoDB is up", "With no writes the stream is empty without MongoDB, too."),
            ),
            "In which two ways can an entry leave a stream?",
        ),
        Question(
            "Which number shows an outage first?",
            (
                (
                    "the age of the oldest entry",
                    "It grows from the first moment, whatever the load.",
                ),
                ("`numFailures`", "The reader waits some seconds before it counts a failure."),
                ("the errors of the writers", "With write-behind the writers see none."),
            ),
            "What was `lastError` while MongoDB was away?",
        ),
        Question(
            "A reader dies with 100 pending entries. What becomes of them?",
            (
                ("the next reader gets them", "Perhaps a second time, which does no harm."),
                ("they are lost", "Nobody acknowledged them, so Redis still has them."),
                ("they were written, since they were read", "Given out is not written."),
            ),
            "When is an entry acknowledged?",
        ),
    ),
    "08": (
        Question(
            "With write-through MongoDB is down. What do you have after a write?",
            (
                (
                    "an error, and stores that differ",
                    "Redis has it, MongoDB does not, and the writer knows.",
                ),
                (
                    "an error, and both stores equal",
                    "Redis took the write before the function failed.",
                ),
                ("OK, and MongoDB catches up", "That is write-behind; here there is no queue."),
            ),
            "Does anything undo the write in Redis?",
        ),
        Question(
            "Why did write-behind write less to MongoDB in the storm?",
            (
                (
                    "it sends the last state of a movie in a batch",
                    "Those in between were acknowledged and not needed.",
                ),
                ("it dropped some views", "No last state is missing: compare the stores."),
                ("it was slower", "It did less work for the same result."),
            ),
            "How many documents changed, and how many views came?",
        ),
        Question(
            "Which case asks for write-through?",
            (
                (
                    "a balance that others read in MongoDB at once",
                    "Being a second out of date costs money there.",
                ),
                (
                    "where a viewer paused",
                    "A second late harms nobody, and there are many of them.",
                ),
                (
                    "a counter of page views",
                    "It changes often, and late does no harm: write-behind.",
                ),
            ),
            "Who reads MongoDB right after the OK?",
        ),
    ),
}
