#!/usr/bin/env bash
# The integration tests of pylxd, LXD's client for Python, against our daemon: over its socket, then over HTTPS.
# `cargo xtask test --pylxd` uses it.
#
#   pylxd.sh FOLDER PROGRAM   FOLDER keeps pylxd with what it needs, fetched from PyPI once; PROGRAM is microcloud
#
# Needs: root, python3 with venv and pip, openssl, xz-utils, busybox-static. The daemon has namespaces and a state folder of its own.
set -euo pipefail
VERSION=2.4.0
FOLDER=${1:?folder} PROGRAM=${2:?microcloud}
# shellcheck source=lab/rigs/alone.sh
. "$(dirname "$0")/alone.sh"
SOURCE=$FOLDER/pylxd-$VERSION PYTHON=$FOLDER/venv/bin/python

fetch() {
    [ -e "$FOLDER/ready" ] && return
    mkdir -p "$FOLDER"
    python3 -m venv --clear "$FOLDER/venv"
    "$FOLDER/venv/bin/pip" download --quiet --no-deps --no-binary :all: --dest "$FOLDER" "pylxd==$VERSION"
    tar -xzf "$SOURCE.tar.gz" -C "$FOLDER"
    "$FOLDER/venv/bin/pip" install --quiet "$SOURCE" pytest
    touch "$FOLDER/ready"
}

# Once it has namespaces: a daemon, and the tests by one way to it.
inside() {
    local way=$1 tests=$FOLDER/tests-$1 status=0
    begin "$PROGRAM" pylxd
    "$PROGRAM" init --auto > /dev/null
    "$PROGRAM" config set core.https_address=127.0.0.1:8443
    export LXD_DIR=$MICROCLOUD_DIR
    # requests would believe these in place of the server's own certificate.
    unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
    mkdir -p "$HOME/.config/lxc/servercerts"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:secp384r1 -sha384 -nodes -days 2 -subj /CN=pylxd \
        -keyout "$HOME/.config/lxc/client.key" -out "$HOME/.config/lxc/client.crt" 2> /dev/null
    cp "$MICROCLOUD_DIR/server.crt" "$HOME/.config/lxc/servercerts/127.0.0.1.crt"
    LXD_TOKEN=$("$PROGRAM" config trust add --name pylxd | tail -n 1); export LXD_TOKEN
    rm -rf "$tests"; cp -r "$SOURCE" "$tests"
    # Its tests use the socket, but for those of how a client is let in, which come first.
    [ "$way" = socket ] || sed -i 's|self.client = Client()|self.client = Client("https://127.0.0.1:8443/")|' "$tests/integration/testing.py"
    (cd "$tests" && timeout 900 "$PYTHON" -m pytest integration -q --tb=short -p no:cacheprovider) || status=$?
    finish "$status"
    rm -rf "$tests"
    return "$status"
}

if [ "${3:-}" = inside ]; then
    inside "$4"
else
    fetch
    for way in socket https; do
        echo "pylxd $VERSION over $way:"
        unshare --net --mount "$0" "$FOLDER" "$PROGRAM" inside "$way"
    done
fi
