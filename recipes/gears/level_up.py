"""Raise a player's level at every 1000 points, before the client has the reply to its HINCRBY.

    gears-cli run --host 127.0.0.1 --port 6379 recipes/gears/level_up.py
    redis-cli HINCRBY player:ada score 1000
    redis-cli HGET player:ada level             (says 2)
"""
NAME = 'LevelUp'
prefix = gearsConfigGet('playerPrefix', 'player:')
points = int(gearsConfigGet('pointsPerLevel', 1000))


def level_up(record):
    player = record['value']
    level = 1 + int(float(player.get('score', 0))) // points
    # A level is never lost: who spends points keeps it.
    if level > int(player.get('level', 1)):
        execute('HSET', record['key'], 'level', level)


# Running the script again replaces what it registered before. The id is the second word, the description the sixth.
for registration in execute('RG.DUMPREGISTRATIONS'):
    if registration[5] == NAME:
        execute('RG.UNREGISTER', registration[1])

# sync: whoever reaches 1000 points sees the new level in the very next read. The HSET above starts no second round:
# what a sync function writes raises no event for functions like this one.
GB('KeysReader', desc=NAME).foreach(level_up).register(
    prefix=prefix + '*', eventTypes=['hincrby', 'hincrbyfloat', 'hset'], keyTypes=['hash'], mode='sync'
)
