"""Questions of notebooks 09 to 14."""

from __future__ import annotations

from lab.course.quizzes.question import Question

QUIZZES = {
    "09": (
        Question(
            "The executor was killed with a batch in hand. How often was it delivered?",
            (
                ("at least twice", "At-least-once delivery: a crash repeats, and loses nothing."),
                ("once", "Nobody knows how far it got, so it is delivered again."),
                ("never", "It stayed pending, so the new executor got it."),
            ),
            "What did `times_delivered` say after the crash?",
        ),
        Question(
            "MongoDB refuses one document for good. What should become of it?",
            (
                (
                    "it is put aside with its reason",
                    "A dead letter holds up nothing else and can be replayed.",
                ),
                ("it is tried until it is taken", "Then everything behind it waits forever."),
                ("it is dropped", "It was acknowledged to a writer: it must not vanish."),
            ),
            "What happened to the view behind *King Kong*?",
        ),
        Question(
            "Somebody edits MongoDB by hand. Which alarm goes off?",
            (
                ("none: only a comparison finds it", "Drift is silent; so compare now and then."),
                ("the stream's length", "Nothing is on its way: the stream is empty."),
                ("the dead letters", "Nothing was refused."),
            ),
            "Which of the two stores does the recipe watch?",
        ),
    ),
    "10": (
        Question(
            "Why are `JSON.SET` and `XADD` in one script?",
            (
                ("so that both happen or neither", "A crash between two calls leaves drift."),
                (
                    "it saves a call",
                    "It does, but the reason is what a crash between them would leave.",
                ),
                ("`XADD` needs a script", "Any client may send it by itself."),
            ),
            "What did MongoDB have after Ann's app died?",
        ),
        Question(
            "Why does a delete leave a tombstone?",
            (
                ("a late write must find a version", "Without one the fence lets everything pass."),
                ("so that users can undo", "It holds no content; it is there for the fence."),
                (
                    "MongoDB cannot delete at once",
                    "It can; but the version would go with the document.",
                ),
            ),
            "What did the late worker bring back?",
        ),
        Question(
            "The queue is full. What is right?",
            (
                ("refuse the write before anything has changed", "The writer knows, and can act."),
                (
                    "`MAXLEN`: the oldest go",
                    "Those were acknowledged; nobody would hear of their loss.",
                ),
                ("let Redis fill up", "Then every write of every client is refused."),
            ),
            "Who is told in each of the three cases?",
        ),
    ),
    "11": (
        Question(
            "What should wake somebody at night?",
            (
                ("an oldest entry that is minutes old", "MongoDB is behind, whatever the load is."),
                (
                    "a queue of 10 000 entries",
                    "In a flood that is normal, if the oldest is a second old.",
                ),
                ("a worker that restarts", "An upgrade does that, and the next one goes on."),
            ),
            "Depth or age: which is the same on a quiet and on a busy day?",
        ),
        Question(
            "An old dead letter is replayed; the movie was written again meanwhile. What wins?",
            (
                (
                    "the newer write",
                    "The fence compares versions, and the letter has the older one.",
                ),
                (
                    "the replay: it comes last",
                    "What counts is the version, not the time of arrival.",
                ),
                ("it depends on the worker", "MongoDB decides, by the version in the document."),
            ),
            "What did the fence of notebook 10 compare?",
        ),
        Question(
            "How is a worker upgraded under load?",
            (
                (
                    "SIGTERM, and a successor",
                    "It finishes its batch and hands its partitions over.",
                ),
                ("stop all writers first", "Writers do not notice: the queue takes their writes."),
                ("SIGKILL, then start", "It works, but the leases have to run out first."),
            ),
            "Which signal can a process answer?",
        ),
    ),
    "12": (
        Question(
            "Why does a key on a cluster name its partition?",
            (
                (
                    "so that document and queue share a slot",
                    "One function changes both, and no function may touch two slots.",
                ),
                ("so that the key is found more quickly", "Any key's slot is found at once."),
                (
                    "so that all partitions are equally full",
                    "The checksum spreads them either way.",
                ),
            ),
            "What did the function answer to `Movie:1`?",
        ),
        Question(
            "The workers wait for the database, the masters idle, and the queue grows. What do you add?",
            (
                (
                    "a database shard",
                    "The part that is busy is the limit, and that is the database.",
                ),
                ("workers", "They would wait for the same database."),
                ("masters", "They take more writes, and the queue grows more quickly."),
            ),
            "Which bar was the longest in the second picture?",
        ),
        Question(
            "A master dies, and its replica takes over. What is gone?",
            (
                (
                    "what the replica had not yet received",
                    "Replication does not wait; `WAIT 1 0` after a write does.",
                ),
                ("nothing", "The OK came before the replica had the write."),
                ("the partition's whole queue", "The replica had all but the last moment of it."),
            ),
            "Who confirms a write to its writer, and when?",
        ),
    ),
    "13": (
        Question(
            "Where is a viewer's position kept?",
            (
                ("in a document of viewer and movie", "So a pause changes nobody else's."),
                ("in the movie", "Then everybody goes on where the last viewer stopped."),
                ("in the browser", "Then another device would not know it."),
            ),
            "Did the movie's document change when Ann and Ben paused?",
        ),
        Question(
            "MongoDB is off, and a movie is added with write-behind. Can it be found?",
            (
                ("yes: the search is in Redis", "Redis has it at the OK, and indexes it at once."),
                ("no: it is not in MongoDB", "The app does not search in MongoDB."),
                ("only after a reload", "The index is the server's, not the page's."),
            ),
            "Which store does the search ask?",
        ),
        Question(
            "What can a power failure take, under `everysec`?",
            (
                (
                    "what is not in MongoDB and younger than about a second",
                    "Both must be true: MongoDB has the rest, or Redis's disk has.",
                ),
                (
                    "nothing that was acknowledged",
                    "The OK comes before the flush; up to a second may go.",
                ),
                ("all that is in the stream", "What is older than a second is on Redis's disk."),
            ),
            "Move the slider between the last answer and the commit.",
        ),
    ),
    "14": (
        Question(
            "The suite says: after producers died between two steps, 20 differ. Which function is it?",
            (
                ("`change`", "The app changed Redis, and died before the entry was there."),
                ("`read`", "An entry that is there can be read; these were never queued."),
                ("`write`", "It can only write what is in the queue."),
            ),
            "Who was it that died?",
        ),
        Question(
            "The suite says: the database was killed after the entries were acknowledged, 20 are missing. Why?",
            (
                (
                    "the yes came before the journal had them",
                    "So ask for `j: true`: then a yes outlives the process.",
                ),
                (
                    "they were acknowledged before they were written",
                    "Then a killed worker would lose them, and here only the database was killed.",
                ),
                ("a late worker has undone them", "Then they would differ, and not be missing."),
            ),
            "What did the database's yes mean?",
        ),
        Question(
            "All twelve hold. What does the suite not say of your recipe?",
            (
                (
                    "that its workers share the load",
                    "All use one name: each does the whole. Partitions and leases divide it.",
                ),
                ("that a late write is harmless", "That is the third: fenced."),
                ("that the queue has a bound", "That is the seventh: bounded."),
            ),
            "Which name do your workers use in their group?",
        ),
    ),
}
