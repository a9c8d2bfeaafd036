#!/bin/sh
# Process 1 of a server's namespaces until the server's own init takes over: waits for the network, builds the view, pivots, executes.
# STAGE_DIR (the server's directory), STAGE_LOWER (tree), STAGE_NAME (host name), STAGE_TERMINAL, STAGE_CGROUP (1 or 2), STAGE_INIT.
# Files in STAGE_DIR: go (fifo), hierarchies ("directory options" per line), binds (source, target, ro|rw with tabs between).
set -e
M=$STAGE_DIR/root
read -r _ < "$STAGE_DIR/go"             # the agent has attached the network
echo "$STAGE_NAME" > /proc/sys/kernel/hostname
mount -t overlay overlay -o "lowerdir=$STAGE_LOWER,upperdir=$STAGE_DIR/upper,workdir=$STAGE_DIR/work" "$M"

mount -t proc -o nosuid,nodev,noexec proc "$M/proc"
mount -t sysfs -o nosuid,nodev,noexec,ro sysfs "$M/sys"
if [ "$STAGE_CGROUP" = 2 ]; then
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$M/sys/fs/cgroup"
else
  mount -t tmpfs -o mode=755,nosuid,nodev,size=1m tmpfs "$M/sys/fs/cgroup"
  while read -r directory options; do
    mkdir "$M/sys/fs/cgroup/$directory"
    case $options in name=*) options=none,$options ;; esac
    mount -t cgroup -o "$options" cgroup "$M/sys/fs/cgroup/$directory"
  done < "$STAGE_DIR/hierarchies"       # systemd itself mounts version 2 at unified
fi

mount -t tmpfs -o mode=755,nosuid,size=4m tmpfs "$M/dev"
while read -r node minor; do
  mknod -m 666 "$M/dev/$node" c "${minor%:*}" "${minor#*:}"
done <<EOF
null 1:3
zero 1:5
full 1:7
random 1:8
urandom 1:9
tty 5:0
kmsg 1:3
EOF
# kmsg is a second null device: programs insist on it, but the kernel's log belongs to the host.
mkdir "$M/dev/pts" "$M/dev/shm" "$M/dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$M/dev/pts"
ln -s pts/ptmx "$M/dev/ptmx"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$M/dev/shm"
mount -t mqueue mqueue "$M/dev/mqueue"
ln -s /proc/self/fd "$M/dev/fd"
ln -s fd/0 "$M/dev/stdin"
ln -s fd/1 "$M/dev/stdout"
ln -s fd/2 "$M/dev/stderr"
touch "$M/dev/console"
mount --bind "$STAGE_TERMINAL" "$M/dev/console"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$M/run"
mkdir "$M/run/lock"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$M/tmp"

while IFS=$(printf '\t') read -r source target mode; do
  if [ -d "$source" ]; then mkdir -p "$M$target"; elif [ ! -e "$M$target" ]; then mkdir -p "$M${target%/*}"; touch "$M$target"; fi
  mount --bind "$source" "$M$target"
  if [ "$mode" = ro ]; then mount -o remount,bind,ro "$M$target"; fi
done < "$STAGE_DIR/binds"

# Kernel settings that are not per network namespace belong to the host.
mount --rbind "$M/proc/sys" "$M/proc/sys"
mount --bind "$M/proc/sys/net" "$M/proc/sys/net"
mount -o remount,bind,ro "$M/proc/sys"
if [ -e "$M/proc/sysrq-trigger" ]; then
  mount --bind "$M/proc/sysrq-trigger" "$M/proc/sysrq-trigger"
  mount -o remount,bind,ro "$M/proc/sysrq-trigger"
fi

cd "$M"
mkdir -p .old
pivot_root . .old
umount -l /.old
rmdir /.old
mount --make-rshared /                  # only after pivot_root, which refuses a shared root; kubelet needs it
exec env -i container=scs-sandbox TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot . "$STAGE_INIT"
