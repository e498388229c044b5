#!/bin/sh
# Takes the arguments of Apache's zkCli.sh and hands over to `zabkeeper shell`.
#
# The binary is the one that ZABKEEPER names, else the one beside this script or in the build
# folder above it, else the one on the PATH. Links to this script are followed.

script=$0
while [ -L "$script" ]; do
    target=$(readlink "$script")
    case $target in
        /*) script=$target ;;
        *) script=$(dirname "$script")/$target ;;
    esac
done
folder=$(cd "$(dirname "$script")" && pwd) || exit 1

for binary in "$ZABKEEPER" "$folder/zabkeeper" "$folder/../target/release/zabkeeper"; do
    if [ -n "$binary" ] && [ -x "$binary" ]; then
        exec "$binary" shell "$@"
    fi
done
exec zabkeeper shell "$@"
