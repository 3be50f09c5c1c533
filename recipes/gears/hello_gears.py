"""Hello from inside Gears: a batch run over one record, the id of the shard.

    gears-cli run --host 127.0.0.1 --port 6379 recipes/gears/hello_gears.py
    redis-cli RG.CONFIGSET helloName Ada        (then run it again)
"""
name = gearsConfigGet('helloName', 'Gears')

# `run` starts the flow when the script ends, and its results are the reply.
GB('ShardsIDReader').map(lambda shard: 'Hello, %s! I am shard %s.' % (name, shard)).run()
