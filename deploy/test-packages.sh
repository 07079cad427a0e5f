#!/bin/sh
# The Debian packages that the tests run against: real brokers, a foreign Modbus master, and what
# injects the faults of the matrix.
# With root or sudo they are installed; otherwise their names are said and the run fails.
set -eu
missing=""
for pair in mosquitto:mosquitto nats-server:nats-server mbpoll:mbpoll openssl:openssl systemd-analyze:systemd \
        gcc:gcc nats-server:nats-server faketime:faketime stress-ng:stress-ng nft:nftables \
        ip:iproute2 mkfs.ext4:e2fsprogs fusermount3:fuse3; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${pair%%:*}" ] ||
        missing="$missing ${pair##*:}"
done
for header in modbus/modbus.h:libmodbus-dev mosquitto.h:libmosquitto-dev; do
    [ -e "/usr/include/${header%%:*}" ] || missing="$missing ${header##*:}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ]; then
    run=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    run="sudo"
else
    echo "make test needs these Debian packages:$missing" >&2
    echo "Install them with: apt-get install$missing" >&2
    exit 1
fi
# shellcheck disable=SC2086 # the names are words
if ! $run apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1; then
    $run apt-get update -qq
    $run apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
