#!/bin/sh
# The Debian packages that the tests run against: real brokers, a foreign Modbus master, and what
# injects the faults of the matrix; and, with npm, the parser that judges docs/platform/asyncapi.yaml.
# With root or sudo they are installed; otherwise their names are said and the run fails.
set -eu
missing=""
for pair in mosquitto:mosquitto mbpoll:mbpoll openssl:openssl systemd-analyze:systemd \
        gcc:gcc nats-server:nats-server faketime:faketime stress-ng:stress-ng nft:nftables \
        influxd:influxdb victoria-metrics:victoria-metrics ip:iproute2 mkfs.ext4:e2fsprogs fusermount3:fuse3 node:nodejs npm:npm; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${pair%%:*}" ] ||
        missing="$missing ${pair##*:}"
done
for header in modbus/modbus.h:libmodbus-dev mosquitto.h:libmosquitto-dev; do
    [ -e "/usr/include/${header%%:*}" ] || missing="$missing ${header##*:}"
done
if [ -n "$missing" ]; then
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
fi
parser=build/asyncapi
if ! cmp -s tests/docs/asyncapi/package-lock.json "$parser/installed.json"; then
    mkdir -p "$parser"
    cp tests/docs/asyncapi/package.json tests/docs/asyncapi/package-lock.json "$parser/"
    (cd "$parser" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >/dev/null)
    cp "$parser/package-lock.json" "$parser/installed.json"
fi
# A Sparkplug client of others needs paho-mqtt 1: it gets an environment of its own.
peer=build/sparkplug
wanted=tests/e2e/sparkplug_peer/requirements.lock
if ! cmp -s "$wanted" "$peer/installed.lock"; then
    .venv/bin/python -m venv --clear "$peer"
    "$peer/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$wanted"
    cp "$wanted" "$peer/installed.lock"
fi
# A ThingsBoard client of others brings a paho-mqtt of its own.
peer=build/thingsboard
wanted=tests/e2e/thingsboard_peer/requirements.lock
if ! cmp -s "$wanted" "$peer/installed.lock"; then
    .venv/bin/python -m venv --clear "$peer"
    "$peer/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$wanted"
    cp "$wanted" "$peer/installed.lock"
fi
