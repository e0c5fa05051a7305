// Command istiod is Istio's control plane without a cluster: istiod's own server, whose resources are the YAML files of a folder, which it
// watches, and Secrets those given. The tests of k8s/e2e run it.
//
//	istiod -resources DIR -mesh FILE -listen HOST:PORT -pki DIR -secrets DIR
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"syscall"
	"unsafe"

	"istio.io/istio/pilot/pkg/bootstrap"
	"istio.io/istio/pilot/pkg/config/kube/extensions"
	"istio.io/istio/pilot/pkg/config/kube/file"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/log"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

const domain = "cluster.local"

type options struct {
	resources, mesh string
	listen, pki     string
	secrets         string
}

func main() {
	var o options
	flag.StringVar(&o.resources, "resources", "", "folder of Istio's resources; what changes in it is pushed")
	flag.StringVar(&o.mesh, "mesh", "", "file with the mesh's configuration")
	flag.StringVar(&o.listen, "listen", "", "where proxies connect, by mTLS: else they would get no secret")
	flag.StringVar(&o.pki, "pki", "", "folder with ca.crt, istiod.crt and istiod.key")
	flag.StringVar(&o.secrets, "secrets", "", "folder of Kubernetes Secrets, a file each")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "istiod:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if err := log.Configure(log.DefaultOptions()); err != nil {
		return err
	}
	secrets, err := readSecrets(o.secrets)
	if err != nil {
		return err
	}
	empty, err := os.MkdirTemp("", "istiod") // the store that NewServer makes of a folder lacks WasmPlugins
	if err != nil {
		return err
	}
	defer os.RemoveAll(empty)
	args := arguments(o, empty)
	store, err := file.NewController(o.resources, domain, collections.Pilot, args.RegistryOptions.KubeOptions)
	if err != nil {
		return err
	}
	var server *bootstrap.Server
	server, err = bootstrap.NewServer(args, func(s *bootstrap.Server) {
		// Without any client, istiod at this version goes by a nil pointer.
		setField(s, "kubeClient", kube.Client(kube.NewFakeClient(secrets...)))
		// pilot-discovery makes TrafficExtensions of WasmPlugins in a cluster alone.
		s.ConfigStores = append(s.ConfigStores, store, extensions.NewController(store, updater{server: &server}, nil))
	})
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	if err := server.Start(stop); err != nil {
		return err
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
	close(stop)
	return nil
}

func arguments(o options, fileDir string) *bootstrap.PilotArgs {
	return bootstrap.NewPilotArgs(func(p *bootstrap.PilotArgs) {
		p.Namespace = "istio-system"
		p.MeshConfigFile = o.mesh
		p.NetworksConfigFile = "/nonexistent"
		p.RegistryOptions.Registries = nil
		p.RegistryOptions.FileDir = fileDir
		p.RegistryOptions.KubeOptions.DomainSuffix = domain
		p.RegistryOptions.KubeOptions.ClusterID = "Kubernetes"
		p.ServerOptions.HTTPAddr = "127.0.0.1:0"
		p.ServerOptions.HTTPSAddr = ""
		p.ServerOptions.MonitoringAddr = ""
		p.ServerOptions.GRPCAddr = ""
		p.ServerOptions.SecureGRPCAddr = o.listen
		p.ServerOptions.TLSOptions = bootstrap.TLSOptions{CaCertFile: o.pki + "/ca.crt", CertFile: o.pki + "/istiod.crt", KeyFile: o.pki + "/istiod.key"}
		p.ShutdownDuration = 0
	})
}

// setField sets an unexported field.
func setField(of any, name string, value any) {
	field := reflect.ValueOf(of).Elem().FieldByName(name)
	reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Set(reflect.ValueOf(value))
}

// updater passes on what is to be pushed, once there is a server.
type updater struct {
	model.XDSUpdater
	server **bootstrap.Server
}

func (u updater) ConfigUpdate(request *model.PushRequest) {
	if *u.server != nil && (*u.server).XDSServer != nil {
		(*u.server).XDSServer.ConfigUpdate(request)
	}
}

func readSecrets(dir string) (secrets []runtime.Object, _ error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		secret, _, err := scheme.Codecs.UniversalDeserializer().Decode(text, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}
