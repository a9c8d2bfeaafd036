#!/bin/sh
# pack.sh RUN CHECKOUT [CHARTS [NEXT [PROXY_CA]]]: pack what the plane host needs into one archive and print its path.
# An empty word stands for what the run does without. One program and one archive instead of a task for each part, all
# of which are round trips to a host.
set -eu
place=$(mktemp -d "${TMPDIR:-/tmp}/scs-ci-push-XXXXXXXX")
trap 'test $? = 0 || rm -rf "$place"' EXIT

# Members are named after links: links inside a checkout stay what they are.
run=$(realpath "$1") checkout=$(realpath "$2") charts=${3:-} next=${4:-} ca=${5:-}
ln -s "$run" "$place/run"
ln -s "$checkout" "$place/checkout"
set -- checkout/.
for name in run.json plan.json stages progress.log; do
    set -- "$@" "run/$name"
done
if [ -n "$charts" ]; then
    ln -s "$(realpath "$charts")" "$place/charts"
    set -- "$@" charts/.
fi
if [ -n "$next" ]; then
    ln -s "$(realpath "$next")" "$place/next"
    set -- "$@" next/.
fi
if [ -n "$ca" ]; then
    cp "$ca" "$place/proxy-ca.pem"
    chmod 0644 "$place/proxy-ca.pem"
    set -- "$@" proxy-ca.pem
fi
tar --create --gzip --file "$place/files.tar.gz" --directory "$place" --exclude=checkout/./.git --exclude=next/./.git "$@"
echo "$place/files.tar.gz"
