"""What a Kubernetes machine has beyond an ordinary server: packages, programs, files. Pure data.

What only a system container needs is said where it stands; the rest is what node images of Cluster API have.
"""

from __future__ import annotations

PACKAGES = (
    'conntrack',
    'containerd',
    'ebtables',
    'ethtool',
    'iptables',
    'openssl',
    'runc',
    'socat',
    'util-linux',
)
PROGRAMS = ('kubeadm', 'kubectl', 'kubelet')
NETWORK_PLUGINS = ('bandwidth', 'bridge', 'firewall', 'host-local', 'loopback', 'portmap', 'ptp')
UNITS = ('containerd.service', 'kubelet.service', 'scs-sandbox-pod-network.service')
# On the host's file system: an overlay's upper directory may not lie on an overlay, and etcd waits for every fsync.
PRIVATE = ('/var/lib/kubelet', '/var/lib/etcd')
CONTAINERD = '/var/lib/containerd'
MIRROR_PORT = 5000
MIRROR = f'http://198.19.0.1:{MIRROR_PORT}'  # the lab's; what it does not have, containerd asks the registry for
FLAGS = '/etc/scs-sandbox'  # the hypervisor writes here what differs between servers of one tree
NODE_ADDRESS, PROVIDED_NETWORK = f'{FLAGS}/node-ip', f'{FLAGS}/cni-provided'
PEERS = '/run/scs-sandbox/peers'  # addresses of the other machines on its networks, one a line
POD_NETWORK = '/usr/local/lib/scs-sandbox/pod-network'

# {pause}: the reference that kubeadm of this minor wants. Without CAP_SYS_RESOURCE no negative oom_score_adj can be
# set.
CONTAINERD_CONFIG = """\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  disable_apparmor = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
"""

# The node's range comes from its own Node, which is all that a node may read; the addresses of the other machines come
# from the hypervisor. A VXLAN to all of them, on which each answers address lookups for its pods. The port is the one
# that overlay networks use and that clusters' security groups let through; with node addresses only, port security is
# kept.
POD_NETWORK_SCRIPT = """\
#!/bin/sh
set -eu
identity=/etc/kubernetes/kubelet.conf
ask() { kubectl --kubeconfig "$identity" --request-timeout=5s "$@" 2>/dev/null || true; }
range=
while [ -z "$range" ]; do  # as long as this machine is no node, there is nothing to do
  sleep 1
  [ -e "$identity" ] || continue
  node=$(ask auth whoami -o 'jsonpath={.status.userInfo.username}')
  [ -z "$node" ] || range=$(ask get node "${node#system:node:}" -o 'jsonpath={.spec.podCIDR}')
done
base=${range%/*}
all=$(echo "$base" | cut -d. -f1,2).0.0/16
device=$(ip -o route show default | sed 's/.* dev \\([^ ]*\\).*/\\1/;q')
ip link del pods 2>/dev/null || true
ip link add pods type vxlan id 8472 dev "$device" dstport 8472
echo 1 > /proc/sys/net/ipv4/conf/pods/proxy_arp
echo 0 > /proc/sys/net/ipv4/neigh/pods/proxy_delay
ip address add "$base/32" dev pods
ip link set pods up
ip route replace "$all" dev pods src "$base"
iptables -w -t nat -C POSTROUTING -s "$range" -o "$device" -j MASQUERADE 2>/dev/null ||
  iptables -w -t nat -A POSTROUTING -s "$range" -o "$device" -j MASQUERADE
mtu=$(cat /sys/class/net/pods/mtu)
mkdir -p /etc/cni/net.d
cat > /etc/cni/net.d/.scs-sandbox <<END
{"cniVersion": "1.0.0", "name": "scs-sandbox", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "mtu": $mtu,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$range"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
mv /etc/cni/net.d/.scs-sandbox /etc/cni/net.d/99-scs-sandbox.conflist
echo "pods of this node: $range, of all nodes: $all, over $device"
known=
while :; do  # as long as the machine lives: others come and go
  peers=$(cat /run/scs-sandbox/peers 2>/dev/null || true)
  if [ "$peers" != "$known" ]; then
    for peer in $known; do bridge fdb del 00:00:00:00:00:00 dev pods dst "$peer" 2>/dev/null || true; done
    for peer in $peers; do bridge fdb append 00:00:00:00:00:00 dev pods dst "$peer"; done
    known=$peers
  fi
  sleep 2
done
"""

FILES = {
    # Every registry is asked for at the lab's mirror first.
    '/etc/containerd/certs.d/_default/hosts.toml': (
        f'[host."{MIRROR}"]\n  capabilities = ["pull", "resolve"]\n  dial_timeout = "2s"\n'
    ),
    '/etc/crictl.yaml': 'runtime-endpoint: unix:///run/containerd/containerd.sock\n',
    # The console shows what a serial console shows: the journal of these two is long, and in the journal.
    '/etc/systemd/system/containerd.service.d/10-sandbox.conf': '[Service]\nSyslogLevel=debug\n',
    '/etc/systemd/system/kubelet.service': (
        '[Unit]\nDescription=kubelet: The Kubernetes Node Agent\nWants=network-online.target\n'
        'After=network-online.target containerd.service\nStartLimitIntervalSec=0\n'
        '[Service]\nExecStart=/usr/bin/kubelet\nSyslogLevel=debug\nRestart=always\nRestartSec=1\n'
        '[Install]\nWantedBy=multi-user.target\n'
    ),
    # As kubeadm's own packages have it, and the address that the hypervisor may give.
    '/etc/systemd/system/kubelet.service.d/10-kubeadm.conf': (
        '[Unit]\nConditionPathExists=|/etc/kubernetes/bootstrap-kubelet.conf\n'
        'ConditionPathExists=|/etc/kubernetes/kubelet.conf\n[Service]\n'
        'Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf'
        ' --kubeconfig=/etc/kubernetes/kubelet.conf"\n'
        'Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml'
        ' --config-dir=/etc/kubernetes/kubelet.conf.d"\n'
        'EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env\nEnvironmentFile=-/etc/default/kubelet\n'
        f'EnvironmentFile=-{NODE_ADDRESS}\nExecStart=\n'
        'ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $SANDBOX_NODE_IP'
        ' $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS\n'
    ),
    # What a system container needs whatever the user data says: groups without systemd's help, no negative scores, and
    # thresholds of a disk that is the host's.
    '/etc/kubernetes/kubelet.conf.d/90-sandbox.conf': (
        'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n'
        'cgroupDriver: cgroupfs\nfailCgroupV1: false\noomScoreAdj: 0\nfailSwapOn: false\n'
        'nodeStatusUpdateFrequency: 2s\nimageGCHighThresholdPercent: 100\n'
        'evictionHard:\n  memory.available: 100Mi\n  nodefs.available: 1%\n  nodefs.inodesFree: 1%\n'
        '  imagefs.available: 1%\n'
    ),
    '/etc/sysctl.d/99-kubernetes.conf': (
        'net.ipv4.ip_forward=1\nnet.bridge.bridge-nf-call-iptables=1\nnet.bridge.bridge-nf-call-ip6tables=1\n'
    ),
    '/etc/systemd/system/scs-sandbox-pod-network.service': (
        '[Unit]\nDescription=Pod network that the sandbox provides\n'
        f'ConditionPathExists={PROVIDED_NETWORK}\nAfter=network-online.target\n'
        f'[Service]\nExecStart={POD_NETWORK}\nRestart=on-failure\nRestartSec=2\n'
        '[Install]\nWantedBy=multi-user.target\n'
    ),
    POD_NETWORK: POD_NETWORK_SCRIPT,
}
EXECUTABLE = (POD_NETWORK,)
