package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/joho/godotenv"
	"k8s.io/klog/v2"
)

// settings are what flags and environment say.
type settings struct {
	apiURL, kubeconfig, prefix, configuration, subnetFile, publicIP, publicIPv6, health string
	interfaces                                                                          []string
	available, masquerade, notRandom, forward, version                                  bool
	resync                                                                              int
}

// parse reads flags; the environment (FLANNELD_IP_MASQ=true) has the value of those that are not given.
func parse(arguments []string, environment func(string) (string, bool)) (settings, error) {
	var result settings
	var healthIP string
	var healthPort int
	var kubernetes bool
	flags := flag.NewFlagSet("flanneld", flag.ContinueOnError)
	klog.InitFlags(flags)
	flags.BoolVar(&kubernetes, "kube-subnet-mgr", false, "take subnets from the Kubernetes API; required")
	flags.StringVar(&result.apiURL, "kube-api-url", "", "of the Kubernetes API, outside of pods")
	flags.StringVar(&result.kubeconfig, "kubeconfig-file", "", "credentials, outside of pods")
	flags.StringVar(&result.prefix, "kube-annotation-prefix", "flannel.alpha.coreos.com", "of annotations of nodes")
	flags.StringVar(&result.configuration, "net-config-path", "/etc/kube-flannel/net-conf.json", "network configuration")
	flags.StringVar(&result.subnetFile, "subnet-file", "/run/flannel/subnet.env", "written for the network plugin")
	flags.StringVar(&result.publicIP, "public-ip", "", "address for other nodes")
	flags.StringVar(&result.publicIPv6, "public-ipv6", "", "address for other nodes")
	flags.StringVar(&healthIP, "healthz-ip", "0.0.0.0", "address of /healthz")
	flags.IntVar(&healthPort, "healthz-port", 0, "port of /healthz, 0 for none")
	flags.Func("iface", "interface to other nodes by name or address, several in order", func(name string) error {
		result.interfaces = append(result.interfaces, name)
		return nil
	})
	flags.BoolVar(&result.available, "set-node-network-unavailable", true, "tell the condition NetworkUnavailable")
	flags.BoolVar(&result.masquerade, "ip-masq", false, "masquerade what leaves the network")
	flags.BoolVar(&result.notRandom, "ip-masq-fully-random-disable", false, "do not randomize ports")
	flags.BoolVar(&result.forward, "iptables-forward-rules", true, "accept forwarding from and to the network")
	flags.IntVar(&result.resync, "iptables-resync", 5, "seconds between looks at the rules")
	flags.BoolVar(&result.version, "version", false, "print the version")
	if err := flags.Parse(arguments); err != nil {
		return result, err
	}
	if err := fromEnvironment(flags, environment); err != nil {
		return result, err
	}
	if healthPort != 0 {
		result.health = net.JoinHostPort(healthIP, strconv.Itoa(healthPort))
	}
	if !kubernetes && !result.version {
		return result, errors.New("this build knows subnets from Kubernetes only, give --kube-subnet-mgr")
	}
	return result, nil
}

func fromEnvironment(flags *flag.FlagSet, environment func(string) (string, bool)) error {
	given := map[string]bool{}
	flags.Visit(func(one *flag.Flag) { given[one.Name] = true })
	var failed error
	flags.VisitAll(func(one *flag.Flag) {
		name := "FLANNELD_" + strings.ToUpper(strings.ReplaceAll(one.Name, "-", "_"))
		if value, found := environment(name); found && !given[one.Name] {
			if err := flags.Set(one.Name, value); err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
			}
		}
	})
	return failed
}

// state is what an earlier run left in the subnet file; zero values without one.
type state struct {
	network, subnet   ip.IP4Net
	network6, subnet6 ip.IP6Net
}

func previous(path string) state {
	values, err := godotenv.Read(path)
	if err != nil {
		values = nil // the first run on this node: rules for nothing are to be removed
	}
	nothing := ip.IP6Net{IP: (*ip.IP6)(big.NewInt(0))}
	result := state{network6: nothing, subnet6: nothing}
	for key, target := range map[string]*ip.IP4Net{"FLANNEL_NETWORK": &result.network, "FLANNEL_SUBNET": &result.subnet} {
		if _, parsed, err := net.ParseCIDR(values[key]); err == nil {
			*target = ip.FromIPNet(parsed)
		}
	}
	names6 := map[string]*ip.IP6Net{"FLANNEL_IPV6_NETWORK": &result.network6, "FLANNEL_IPV6_SUBNET": &result.subnet6}
	for key, target := range names6 {
		if _, parsed, err := net.ParseCIDR(values[key]); err == nil {
			*target = ip.FromIP6Net(parsed)
		}
	}
	return result
}

// serveHealth answers /healthz until ctx is done; without it a probe would kill the pod, so its failure ends all.
func serveHealth(ctx context.Context, tasks *sync.WaitGroup, address string, fail context.CancelCauseFunc) {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(answer http.ResponseWriter, _ *http.Request) { answer.WriteHeader(http.StatusOK) })
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	tasks.Go(func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			fail(fmt.Errorf("cannot answer /healthz: %w", err))
		}
	})
	tasks.Go(func() {
		<-ctx.Done()
		_ = server.Close() // nothing to tell anybody: the process ends
	})
}
