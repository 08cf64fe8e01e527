#!/bin/sh
# The machine of vm.sh with ZFS. `cargo xtask test --rig zfs` uses it.
ZFS=1 exec "$(dirname "$0")/vm.sh" "$@"
