// Package main answers kubelet's probes for the CSI driver beside it, as livenessprobe does, whose sources no module
// proxy serves. Of its flags it knows those that manifests use.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"k8s.io/klog/v2"
)

// version is set by the linker.
var version = "unknown"

func main() {
	driver := flag.String("csi-address", "/run/csi/socket", "socket of the driver, in this container")
	port := flag.String("health-port", "9808", "port of /healthz, on all addresses")
	address := flag.String("http-endpoint", "", "address and port of /healthz, instead of --health-port")
	limit := flag.Duration("probe-timeout", time.Second, "how long the driver may take to answer")
	ask := flag.Bool("version", false, "print the version")
	klog.InitFlags(nil)
	flag.Parse()
	if *ask {
		fmt.Println("livenessprobe", version)
		return
	}
	if *address == "" {
		*address = net.JoinHostPort("", *port)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *driver, *address, *limit)
	stop()
	if err != nil {
		klog.Error(err)
		os.Exit(1)
	}
}

// run serves /healthz until ctx is done, which is no error.
func run(ctx context.Context, driver, address string, limit time.Duration) error {
	connection, err := grpc.NewClient("unix:"+driver, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("cannot use the driver's socket %s: %w", driver, err)
	}
	defer connection.Close()
	mux := http.NewServeMux()
	mux.Handle("/healthz", &probe{csi.NewIdentityClient(connection), limit})
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close() // nothing to tell anybody: the process ends
	}()
	klog.Infof("/healthz at %s answers for %s", address, driver)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot answer /healthz: %w", err)
	}
	return nil
}

// probe asks the driver whether it lives each time that kubelet asks us.
type probe struct {
	driver csi.IdentityClient
	limit  time.Duration
}

func (p *probe) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	ctx, cancel := context.WithTimeout(request.Context(), p.limit)
	defer cancel()
	found, err := p.driver.Probe(ctx, &csi.ProbeRequest{})
	switch {
	case err != nil:
		p.refuse(answer, err.Error())
	case found.GetReady() != nil && !found.GetReady().GetValue(): // without a word it is ready
		p.refuse(answer, "driver is not ready")
	default:
		fmt.Fprintln(answer, "ok")
	}
}

func (p *probe) refuse(answer http.ResponseWriter, why string) {
	klog.Warningf("driver does not live: %s", why)
	http.Error(answer, why, http.StatusInternalServerError)
}
