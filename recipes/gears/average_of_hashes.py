"""The average of one field over all hashes `person:*`: by default of `age`.

    gears-cli run --host 127.0.0.1 --port 6379 recipes/gears/average_of_hashes.py
    redis-cli RG.CONFIGSET averagePrefix movie: averageField duration   (for others)
"""
prefix = gearsConfigGet('averagePrefix', 'person:')
field = gearsConfigGet('averageField', 'age')

# Gears may run this on many shards: each sums and counts its own, then the sums are added. That is why it is `avg`
# and not a loop over averages. Keys that are no hash, or lack the field, do not count.
GB() \
    .filter(lambda record: record['type'] == 'hash' and field in record['value']) \
    .avg(lambda record: float(record['value'][field])) \
    .run(prefix + '*')
