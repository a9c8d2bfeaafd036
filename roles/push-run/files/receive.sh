#!/bin/sh
# Unpacks what follows this script into the place of a run, which is for its owner only.
# scs-ci parcel writes the variables before it and the archive behind it.
set -eu
: "${place:?}" "${payload:?}"
umask 077

remove() {
    for name; do rm -rf "${place:?}/$name"; done
}

# of a run that did not get here whole nothing is fetched and removed later
trap 'remove secret variables.yaml checkout next charts' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

unpack() {
    mkdir -p "$place" && chmod 0700 "$place" &&
        # of an earlier time, with files that are no longer in them
        remove checkout next charts &&
        # the archive has the modes: only for root tar takes them by itself, else those of the mask
        tail -c "+$payload" "$0" | tar --extract --gzip --no-same-owner --preserve-permissions --directory "$place"
}

# The end of what is said is enough: tar has a line for each of thousands of files.
if ! said=$(unpack 2>&1); then
    echo "cannot bring the run to $place on $(hostname): $(echo "$said" | tail -n 2);" \
        "next: free disk space or fix permissions, run it again" >&2
    exit 3
fi
trap - EXIT
