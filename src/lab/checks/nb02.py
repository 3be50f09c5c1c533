"""Notebook 02: start the stack and find its parts."""

from __future__ import annotations

from lab.checks.exercise import Answer, Exercise, Wrong


def _check_restart(answer: Answer) -> str:
    before, after = answer["before"], answer["after"]
    for name, given in (("before", before), ("after", after)):
        if not isinstance(given, str):
            raise Wrong(f"`{name}` is a {type(given).__name__}, not the text of a run_id.")
    if before == after:
        raise Wrong(
            f"Redis is the same process as before (run_id {after[:8]}…): it was not restarted."
        )
    now = answer.stack.redis.info("server")["run_id"]
    if after != now:
        raise Wrong(f"Redis's run_id is {now[:8]}… now. Run the exercise's cell, then check again.")
    if answer.stack.redis.get("02:note") != "still here":
        raise Wrong("Redis was restarted, but the key `02:note` is gone. Was the data deleted?")
    return "Another process, the same data: Redis read its append-only file when it started."


RESTART = Exercise(
    id="02-1",
    asks=("before", "after"),
    stub="""\
stack.redis.set("02:note", "still here")
before = stack.redis.info("server")["run_id"]
...  # stop Redis and start it again
after = stack.redis.info("server")["run_id"]
""",
    solution="""\
stack.redis.set("02:note", "still here")
before = stack.redis.info("server")["run_id"]
lab.stop("redis")
lab.start("redis")
after = stack.redis.info("server")["run_id"]
""",
    hints=(
        "You did the same to MongoDB above.",
        'The lab calls the three parts "redis", "minigears" and "mongo".',
        '`lab.stop("redis")`, then `lab.start("redis")`, in the place of the `...`.',
    ),
    check=_check_restart,
)

EXERCISES = (RESTART,)
