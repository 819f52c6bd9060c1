#!/bin/sh
# Start the queue with a password that stands in no command line and in no file but its own.
set -eu
{
    printf 'requirepass %s\n' "$(cat /run/secrets/redis_password)"
    # Work that was accepted survives a crash, and is never thrown away to make room.
    printf 'appendonly yes\nappendfsync everysec\nmaxmemory-policy noeviction\ndir /data\n'
    # The official image listens on every address inside its container.
    printf 'bind * -::*\nport 6379\n'
} | exec valkey-server -
