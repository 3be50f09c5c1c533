"""Notebook 08: write through, and choose."""

from __future__ import annotations

from lab.checks.exercise import Answer, Exercise, Wrong

BEHIND, THROUGH = "write-behind", "write-through"

_CASES = {
    "pause position": (
        BEHIND,
        "It changes every few seconds for every viewer, the next one replaces it, and nobody reads "
        "it from MongoDB. What would waiting for MongoDB buy?",
    ),
    "last seat sold": (
        THROUGH,
        "Another system checks MongoDB before it sells. How old may its answer be?",
    ),
    "view counter": (
        BEHIND,
        "Bursts are the problem here, and a number that is a second old is good enough.",
    ),
    "card payment": (
        THROUGH,
        "Telling the customer that it is done, while it waits in a queue, is the wrong order.",
    ),
    "likes while MongoDB is upgraded": (
        BEHIND,
        "MongoDB is away for a minute. Which of the two still takes writes?",
    ),
}


def _check_choice(answer: Answer) -> str:
    given = answer["choice"]
    if not isinstance(given, dict):
        raise Wrong(f"`choice` is a {type(given).__name__}, not a dictionary.")
    for case, (wanted, reason) in _CASES.items():
        said = given.get(case)
        if said is None or said is ...:
            raise Wrong(f"There is no answer for {case!r} yet.")
        if said not in (BEHIND, THROUGH):
            raise Wrong(f"{case!r} has the answer {said!r}; it is one of {BEHIND!r}, {THROUGH!r}.")
        if said != wanted:
            raise Wrong(f"Think again about {case!r}. {reason}")
    return "Behind where speed and outages matter, through where MongoDB must be right at once."


CHOICE = Exercise(
    id="08-1",
    asks=("choice",),
    stub="""\
choice = {  # "write-behind" or "write-through"
    "pause position": ...,  # where a viewer stopped; changes every few seconds
    "last seat sold": ...,  # the box office looks into MongoDB before it sells
    "view counter": ...,  # a number under the film; a premiere brings a burst
    "card payment": ...,  # once the customer sees "paid", it must be on record
    "likes while MongoDB is upgraded": ...,  # MongoDB is away for a minute
}
""",
    solution="""\
choice = {
    "pause position": "write-behind",
    "last seat sold": "write-through",
    "view counter": "write-behind",
    "card payment": "write-through",
    "likes while MongoDB is upgraded": "write-behind",
}
""",
    hints=(
        "Ask two questions of each: who waits for the write, and who reads it from MongoDB?",
        "Write-behind keeps the writer fast and MongoDB a little late; write-through the reverse.",
        "Three are write-behind. The other two are those where a second system must not be wrong.",
    ),
    check=_check_choice,
)

EXERCISES = (CHOICE,)
