# A daemon alone in namespaces, for scripts that drive it from outside. To be sourced by one that is in them already.

# begin PROGRAM NAME: starts it; it has MICROCLOUD_DIR and HOME of its own, below $PLACE.
begin() {
    BEGUN=$1 PLACE=$(mktemp -d "/tmp/microcloud-$2-XXXXXX")
    export MICROCLOUD_DIR=$PLACE/state HOME=$PLACE/home
    ip link set lo up
    "$BEGUN" daemon 2> "$PLACE/log" & DAEMON=$!
    for _ in $(seq 200); do [ -S "$MICROCLOUD_DIR/unix.socket" ] && break; sleep 0.05; done
}

# finish STATUS: ends it with its instances, and shows its log if that is not 0.
finish() {
    "$BEGUN" shutdown --timeout 60 > /dev/null || kill "$DAEMON"
    wait "$DAEMON" || true
    if [ "$1" -ne 0 ]; then tail -n 40 "$PLACE/log"; fi
    rm -rf "$PLACE"
}
