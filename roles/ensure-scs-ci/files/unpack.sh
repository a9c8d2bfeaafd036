#!/bin/sh
# unpack.sh ARCHIVE SHA256 DIRECTORY: unpack an archive into a directory that is complete or absent, and remove the archive.
# One program instead of eight Ansible tasks, each of which is a round trip to the host: they took 8 s of a run's 110.
set -eu
archive=$1 digest=$2 target=$3
new=$(dirname "$target")/.new-$(basename "$target")
found=$(sha256sum "$archive" | cut -d ' ' -f 1)
if [ "$found" != "$digest" ]; then
    echo "cannot use archive $archive on $(hostname): sha256 is $found, wanted $digest; next: run it again" >&2
    exit 3
fi
rm -rf "$new"
mkdir -m 0755 "$new"
tar --extract --gzip --no-same-owner --file "$archive" --directory "$new"
mv --no-target-directory "$new" "$target"
rm "$archive"
