#!/bin/sh
# SecantusDB with mongod's words: `--replSet NAME --bind_ip_all` say what it is anyhow, and are dropped;
# other words are SecantusDB's own. A replica set's member announces the address that it listens on:
# so that is the container's own, which every client on the network can follow.
set -eu
for word in "$@"; do
    shift
    case ${skip:-}$word in
    --bind_ip_all) ;;
    --replSet) skip=name: ;;
    name:*) skip= ;;
    *) set -- "$@" "$word" ;;
    esac
done
exec python3 -m secantus --host "$(hostname -i | cut -d ' ' -f 1)" --port 27017 \
    --storage-path /data/db --cache-size 256M "$@"
