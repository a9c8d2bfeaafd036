#!/bin/sh
# Unpacks what follows this script into directories that are complete or absent, and writes the command.
# scs-ci bundle writes the variables before it and the archives behind it; parts: a line "NAME SHA256 SIZE" for each.
set -eu
: "${prefix:?}" "${bin:?}" "${command:?}" "${payload:?}"
umask 022
mkdir -p "$prefix" "$bin"

unpack() {
    target=$prefix/$1 new=$prefix/.new-$1
    rm -rf "$new" "$new.tar.gz"
    tail -c "+$payload" "$0" | head -c "$3" >"$new.tar.gz"
    found=$(sha256sum "$new.tar.gz" | cut -d ' ' -f 1)
    if [ "$found" != "$2" ]; then
        rm "$new.tar.gz"
        echo "cannot use archive $1 on $(hostname): sha256 is $found, wanted $2; next: run it again" >&2
        exit 3
    fi
    mkdir -m 0755 "$new"
    tar --extract --gzip --no-same-owner --file "$new.tar.gz" --directory "$new"
    rm "$new.tar.gz"
    if [ -d "$target" ]; then # somebody else was faster
        rm -rf "$new"
    else
        mv --no-target-directory "$new" "$target"
    fi
}

while read -r name digest size; do
    [ -z "$name" ] && continue
    unpack "$name" "$digest" "$size"
    payload=$((payload + size))
done <<PARTS
${parts:-}
PARTS

printf '%s' "$command" >"$bin/.scs-ci.new"
chmod 0755 "$bin/.scs-ci.new"
mv --no-target-directory "$bin/.scs-ci.new" "$bin/scs-ci"
