"""Count the keys `person:*`.

    gears-cli run --host 127.0.0.1 --port 6379 recipes/gears/count_people.py
    redis-cli RG.CONFIGSET countPrefix movie:   (to count others)
"""
prefix = gearsConfigGet('countPrefix', 'person:')

# KeysOnlyReader, because a count needs no values: reading them would be most of the work.
# No key, no record, and `count` over no record gives no result: an empty list means 0.
GB('KeysOnlyReader').count().run(prefix + '*')
