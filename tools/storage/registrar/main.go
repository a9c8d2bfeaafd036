// Package main tells a node's kubelet of the CSI driver beside it, as node-driver-registrar does, whose sources no
// module proxy serves. Of its flags it knows those that manifests use.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"k8s.io/klog/v2"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// version is set by the linker.
var version = "unknown"

// The driver is a container of the same pod and starts at the same time; kubelet starts us again when it takes longer.
const patience = 2 * time.Minute

func main() {
	driver := flag.String("csi-address", "/run/csi/socket", "socket of the driver, in this container")
	endpoint := flag.String("kubelet-registration-path", "", "the same socket, as kubelet sees it")
	place := flag.String("plugin-registration-path", "/registration", "directory in which kubelet looks for sockets")
	ask := flag.Bool("version", false, "print the version")
	klog.InitFlags(nil)
	flag.Parse()
	if *ask {
		fmt.Println("csi-node-driver-registrar", version)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *driver, *endpoint, *place)
	stop()
	if err != nil {
		klog.Error(err)
		os.Exit(1)
	}
}

// run offers the driver to kubelet until ctx is done, which is no error.
func run(ctx context.Context, driver, endpoint, place string) error {
	if endpoint == "" {
		return errors.New("kubelet must be told a socket, give --kubelet-registration-path")
	}
	name, err := nameOf(ctx, driver)
	if err != nil {
		return fmt.Errorf("cannot ask the driver at %s for its name: %w", driver, err)
	}
	path := filepath.Join(place, name+"-reg.sock")
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove the socket of an earlier run: %w", err)
	}
	listener, err := net.Listen("unix", path) // closed, and its file removed, with the server
	if err != nil {
		return fmt.Errorf("cannot listen where kubelet looks: %w", err)
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	server := grpc.NewServer()
	registration.RegisterRegistrationServer(server, &offer{name: name, endpoint: endpoint, fail: fail})
	go func() {
		<-ctx.Done()
		server.Stop()
	}()
	klog.Infof("driver %s at %s is offered to kubelet by %s", name, endpoint, path)
	if err := server.Serve(listener); err != nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// nameOf asks the driver who it is; it may not listen yet.
func nameOf(ctx context.Context, address string) (string, error) {
	connection, err := grpc.NewClient("unix:"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, err := csi.NewIdentityClient(connection).GetPluginInfo(ctx, &csi.GetPluginInfoRequest{},
		grpc.WaitForReady(true))
	if err != nil {
		return "", err
	}
	if answer.GetName() == "" {
		return "", errors.New("it has none")
	}
	return answer.GetName(), nil
}

// offer answers kubelet's questions about the driver.
type offer struct {
	registration.UnimplementedRegistrationServer
	name, endpoint string
	fail           context.CancelCauseFunc
}

// GetInfo says what is offered. The version is that of the registration, the only one that kubelet takes.
func (o *offer) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: o.name, Endpoint: o.endpoint, SupportedVersions: []string{"1.0.0"},
	}, nil
}

// NotifyRegistrationStatus hears what became of it. After a refusal the process ends, so that it is tried again.
func (o *offer) NotifyRegistrationStatus(
	_ context.Context, status *registration.RegistrationStatus,
) (*registration.RegistrationStatusResponse, error) {
	if status.GetPluginRegistered() {
		klog.Infof("kubelet has registered %s", o.name)
	} else {
		o.fail(fmt.Errorf("kubelet refuses %s: %s", o.name, status.GetError()))
	}
	return &registration.RegistrationStatusResponse{}, nil
}
