"""Users with rights of every kind, and hooks that do for them what minigears itself may."""

from __future__ import annotations

USERS = {
    "connects": "+@connection",
    "gets": "~* +get",
    "of_a": "~a:* &a:* +@all",
    "reads": "%R~* (%W~a:* +set +append) +@read",
    "all": "~* &* +@all",
}


SEEN = "execute('INCR', 'seen')"
"""What a function does that nobody but minigears may have caused."""


HOOK = """
GB('CommandReader').map(lambda x: [{seen}, call_next({words})])\
    .register(hook='{name}', mode='{mode}', convertToStr=False)
"""


def hook(admin, name="get", mode="sync", words="*x[1:]", seen=SEEN):
    script = HOOK.format(seen=seen, words=words, name=name, mode=mode)
    admin.execute_command("RG.PYEXECUTE", script)


def login(guarded, user):
    return guarded.client(username=user, password=user, protocol=2)
