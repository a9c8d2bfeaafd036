#!/bin/sh
# Unpacks what follows this script into the place of a run, which is for its owner only.
# scs-ci parcel writes the variables before it and the archive behind it.
set -eu
: "${place:?}" "${payload:?}"
umask 077
mkdir -p "$place"
chmod 0700 "$place"
tail -c "+$payload" "$0" | tar --extract --gzip --no-same-owner --directory "$place"
