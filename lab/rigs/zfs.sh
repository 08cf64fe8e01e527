#!/bin/sh
# The machine of vm.sh with ZFS. `cargo xtask test --rig zfs` uses it. All there is to test takes about an hour in it.
ZFS=1 PATIENCE=${PATIENCE:-6000} exec "$(dirname "$0")/vm.sh" "$@"
