#!/bin/bash
# Boots a real systemd twice on one throw-away overlay of /, in namespaces of its own; root only.
#
#   boot.sh SYSTEMD_CONTAINER INJECT SITE_PACKAGES TARGET_PACKAGES OUT SECONDS
#
# INJECT is copied over the overlay's root before the first boot; a unit in it must end with `systemctl poweroff`.
# SITE_PACKAGES is bound, read-only, at TARGET_PACKAGES. What the booted system writes to /out is in OUT afterwards.
set -euo pipefail
export container=$1 inject=$2 packages=$3 target=$4 out=$5 limit=$6
work=$(mktemp -d /var/tmp/tailorbird-boot.XXXXXX); export work
base=/sys/fs/cgroup
if [ -d $base/unified ]; then base=$base/unified; fi # a hybrid host: v2 is beside the v1 controllers
group=$base/tailorbird-boot.$$
home=$(awk -F: '$1 == 0 { print $3 }' /proc/self/cgroup)
leave() {
  echo $$ >"$base$home/cgroup.procs" 2>/dev/null || echo $$ >"$base/cgroup.procs"
  find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null || true
  rm -rf "$work"
}
mkdir "$group"
trap leave EXIT
echo $$ >"$group/cgroup.procs"
unshare --mount --cgroup --pid --fork --mount-proc --propagation private bash -euo pipefail <<'INSIDE'
mount -t tmpfs tmpfs /run # the host's is never written
mount -t cgroup2 none /sys/fs/cgroup
mkdir "$work/overlay" "$work/root"
mount -t tmpfs -o size=2g tmpfs "$work/overlay"
mkdir "$work/overlay/upper" "$work/overlay/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/overlay/upper,workdir=$work/overlay/work" "$work/root"
root=$work/root
rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/tailorbird "$root"/var/lib/tailorbird "$root"/opt/tailorbird*
: >"$root/etc/machine-id"
mkdir -p "$root/out"
cp -a "$inject/." "$root/"
for boot in first second; do
  LD_LIBRARY_PATH=$(dirname "$(find /usr/lib -name 'libsystemd-shared-*.so' -print -quit)") \
    timeout --foreground -s KILL "$limit" "$container/usr/bin/systemd-nspawn" --quiet --register=no --keep-unit \
    --private-network --directory="$root" --console=pipe --bind-ro="$packages:$target" \
    --boot systemd.unit=multi-user.target </dev/null >"$out/console-$boot" 2>&1 || echo "the $boot boot ended with $?" >&2
  cp -r "$root/out/." "$out/"
done
INSIDE
