#!/bin/sh
# Unpacks what follows this script into directories that are complete or absent, and writes the command.
# scs-ci bundle writes the variables before it and the archives behind it; parts: a line "NAME SHA256 SIZE" for each.
set -eu
: "${prefix:?}" "${bin:?}" "${command:?}" "${payload:?}"
umask 022
advice='free disk space or fix permissions, run it again'
# names of this process alone, for two runs may install on one host at once
work=$prefix/.new-$$ written=$bin/.scs-ci.new-$$
trap 'rm -rf "$work" "$written"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    echo "cannot install scs-ci on $(hostname) in $prefix and $bin: $1; next: $2" >&2
    exit 3
}

# The end of what a command says is enough: tar has a line for each of thousands of files.
try() {
    said=$("$@" 2>&1) || fail "$(echo "$said" | tail -n 2)" "$advice"
}

cut_out() {
    tail -c "+$payload" "$0" | head -c "$1" >"$2"
}

write_command() {
    printf '%s' "$command" >"$written"
}

unpack() {
    target=$prefix/$1
    try mkdir -p "$work/content"
    try cut_out "$3" "$work/archive"
    found=$(sha256sum <"$work/archive" | cut -d ' ' -f 1)
    [ "$found" = "$2" ] || fail "sha256 of archive $1 is $found, wanted $2" 'run it again'
    try tar --extract --gzip --no-same-owner --file "$work/archive" --directory "$work/content"
    # it cannot where somebody else was faster
    said=$(mv --no-target-directory "$work/content" "$target" 2>&1) || [ -d "$target" ] || fail "$said" "$advice"
    rm -rf "$work"
}

try mkdir -p "$prefix" "$bin"
for old in "$prefix"/.new-*; do # of processes that were killed
    [ -d "/proc/${old##*-}" ] || rm -rf "$old"
done

while read -r name digest size; do
    [ -z "$name" ] && continue
    unpack "$name" "$digest" "$size"
    payload=$((payload + size))
done <<PARTS
${parts:-}
PARTS

try write_command
try chmod 0755 "$written"
try mv --no-target-directory "$written" "$bin/scs-ci"
