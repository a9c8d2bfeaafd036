// Package main is flanneld with the Kubernetes API as its only source of subnets and without the backends that need
// cgo (udp), other programs (ipsec, wireguard) or a cloud of their own. Everything else is flannel's own packages.
// Flags, their defaults and their environment (FLANNELD_...) are those of flannel 0.27.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/flannel-io/flannel/pkg/backend"
	"github.com/flannel-io/flannel/pkg/ipmatch"
	"github.com/flannel-io/flannel/pkg/subnet"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
	"github.com/flannel-io/flannel/pkg/trafficmngr"
	"github.com/flannel-io/flannel/pkg/trafficmngr/iptables"
	"github.com/flannel-io/flannel/pkg/trafficmngr/nftables"
	"k8s.io/klog/v2"

	// Backends register themselves.
	_ "github.com/flannel-io/flannel/pkg/backend/alloc"
	_ "github.com/flannel-io/flannel/pkg/backend/extension"
	_ "github.com/flannel-io/flannel/pkg/backend/hostgw"
	_ "github.com/flannel-io/flannel/pkg/backend/ipip"
	_ "github.com/flannel-io/flannel/pkg/backend/vxlan"
)

// version is set by the linker.
var version = "unknown"

func main() {
	settings, err := parse(os.Args[1:], os.LookupEnv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "flanneld:", err)
		os.Exit(2)
	}
	if settings.version {
		fmt.Println("flanneld", version)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, settings)
	stop()
	if err != nil {
		klog.Error(err)
		os.Exit(1)
	}
}

// run joins the network of the cluster and serves it until ctx is done (no error) or a part of it fails.
func run(ctx context.Context, settings settings) error {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	asked := ctx
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil) // before the wait, so that the tasks end

	manager, err := kube.NewSubnetManager(ctx, settings.apiURL, settings.kubeconfig, settings.prefix,
		settings.configuration, settings.available)
	if err != nil {
		return fmt.Errorf("cannot use the Kubernetes API: %w", err)
	}
	if settings.health != "" {
		serveHealth(ctx, &tasks, settings.health, fail)
	}
	config, err := manager.GetNetworkConfig(ctx)
	if err != nil {
		return fmt.Errorf("cannot read the network configuration %s: %w", settings.configuration, err)
	}
	outside, err := interfaceOf(ctx, manager, config, settings)
	if err != nil {
		return err
	}
	chosen, err := backend.NewManager(ctx, manager, outside).GetBackend(config.BackendType)
	if err != nil {
		return fmt.Errorf("this build of flannel has no backend %q: %w", config.BackendType, err)
	}
	network, err := chosen.RegisterNetwork(ctx, &tasks, config)
	if err != nil {
		return fmt.Errorf("cannot register the network: %w", err)
	}
	if err := filter(ctx, config, network, settings); err != nil {
		return err
	}
	lease := network.Lease()
	err = manager.HandleSubnetFile(settings.subnetFile, config, settings.masquerade, lease.Subnet, lease.IPv6Subnet,
		network.MTU())
	if err != nil {
		return fmt.Errorf("cannot write %s, without which no pod gets an address: %w", settings.subnetFile, err)
	}
	klog.Infof("node has %s, network %s, backend %s", lease.Subnet, config.Network, config.BackendType)
	tasks.Go(func() { network.Run(ctx) })
	if err := manager.CompleteLease(ctx, lease, &tasks); err != nil {
		return fmt.Errorf("cannot tell that the network of this node is up: %w", err)
	}
	<-ctx.Done()
	if asked.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// interfaceOf finds the interface that leads to the other nodes: by public address, by name, or the default route's.
func interfaceOf(
	ctx context.Context, manager subnet.Manager, config *subnet.Config, settings settings,
) (*backend.ExternalInterface, error) {
	if _, err := os.Stat("/proc/sys/net/bridge/bridge-nf-call-iptables"); err != nil {
		return nil, fmt.Errorf("services would not work, br_netfilter is not loaded: %w", err)
	}
	family, err := ipmatch.GetIPFamily(config.EnableIPv4, config.EnableIPv6)
	if err != nil {
		return nil, err
	}
	public := ipmatch.PublicIPOpts{PublicIP: settings.publicIP, PublicIPv6: settings.publicIPv6}
	stored, stored6 := manager.GetStoredPublicIP(ctx)
	if stored != "" {
		public.PublicIP = stored
	}
	if stored6 != "" {
		public.PublicIPv6 = stored6
	}
	wanted := append([]string{}, settings.interfaces...)
	if len(wanted) == 0 {
		wanted = []string{public.PublicIP}
	}
	var failed error
	for _, name := range wanted {
		found, err := ipmatch.LookupExtIface(name, "", "", family, public)
		if err == nil {
			return found, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, fmt.Errorf("no interface leads to the other nodes: %w", failed)
}

// filter keeps the rules for masquerading and forwarding, after it has removed those of the other packet filter, which
// an earlier configuration may have left.
func filter(ctx context.Context, config *subnet.Config, network backend.Network, settings settings) error {
	if err := rules(!config.EnableNFTables).CleanUp(ctx); err != nil {
		return fmt.Errorf("cannot remove the rules of the other packet filter: %w", err)
	}
	kept := rules(config.EnableNFTables)
	if err := kept.Init(ctx); err != nil {
		return fmt.Errorf("cannot use the packet filter: %w", err)
	}
	if settings.masquerade {
		before := previous(settings.subnetFile)
		err := kept.SetupAndEnsureMasqRules(ctx, config.Network, before.subnet, before.network,
			config.IPv6Network, before.subnet6, before.network6, network.Lease(), settings.resync, settings.notRandom)
		if err != nil {
			return fmt.Errorf("cannot set the rules for masquerading: %w", err)
		}
	}
	if settings.forward {
		kept.SetupAndEnsureForwardRules(ctx, config.Network, config.IPv6Network, settings.resync)
	}
	return nil
}

func rules(nft bool) trafficmngr.TrafficManager {
	if nft {
		return &nftables.NFTablesManager{}
	}
	return &iptables.IPTablesManager{}
}
