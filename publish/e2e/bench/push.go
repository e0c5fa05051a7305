package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/sirupsen/logrus"

	"github.com/routelens/routelens/publish/e2e/cncf"
	"github.com/routelens/routelens/publish/internal/artifact"
	"github.com/routelens/routelens/publish/internal/wasm/wasmtest"
)

// contender is a command that pushes plugin.wasm, and runtime-config.json where it wants one, out of its working folder.
type contender struct {
	name    string
	command []string // REF stands for where to
}

// contenders are compared with the first.
func contenders(o options) []contender {
	config := "runtime-config.json:" + artifact.ConfigType
	return []contender{
		{"oras push", []string{o.oras, "push", "--plain-http", "--no-tty", "REF", "--config", config, config, "plugin.wasm:" + artifact.ContentType}},
		{"publish push", []string{o.publish, "push", "--plain-http", "plugin.wasm", "REF"}},
		{"publish push --no-verify", []string{o.publish, "push", "--plain-http", "--no-verify", "plugin.wasm", "REF"}},
	}
}

// subject is a plugin in a folder of its own.
type subject struct {
	name   string
	dir    string
	size   int
	digest digest.Digest
	times  [][]float64 // in milliseconds, by contender and round
}

func bench(ctx context.Context, o options, stdout io.Writer) (err error) {
	logrus.SetOutput(io.Discard) // the registry's log
	log.SetOutput(io.Discard)
	for _, program := range []*string{&o.publish, &o.oras} {
		if *program, err = filepath.Abs(*program); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "bench-publish-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	subjects, err := prepare(dir, o)
	if err != nil {
		return err
	}
	all := contenders(o)
	r, err := serve(dir)
	if err != nil {
		return err
	}
	defer r.close()
	for round := range o.rounds + 1 { // the first warms up and does not count
		for _, s := range subjects {
			for i := range all {
				turn := (i + round) % len(all)
				took, err := r.push(ctx, all[turn], s)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", s.name, all[turn].name, err)
				}
				if round > 0 {
					s.times[turn] = append(s.times[turn], float64(took)/float64(time.Millisecond))
				}
			}
		}
	}
	return report(stdout, all, subjects, o.rounds)
}

// prepare lays out what is pushed.
func prepare(dir string, o options) ([]*subject, error) {
	var subjects []*subject
	add := func(name string, data []byte) error {
		s := &subject{name: name, dir: filepath.Join(dir, fmt.Sprint(len(subjects))), size: len(data), digest: digest.FromBytes(data)}
		s.times = make([][]float64, len(contenders(o)))
		subjects = append(subjects, s)
		return errors.Join(os.Mkdir(s.dir, 0o700),
			os.WriteFile(filepath.Join(s.dir, "runtime-config.json"), []byte(`{"type":"envoy_proxy","abiVersions":["0.2.0"],"config":{}}`), 0o600),
			os.WriteFile(filepath.Join(s.dir, "plugin.wasm"), data, 0o600))
	}
	for _, file := range o.files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := add(filepath.Base(file), data); err != nil {
			return nil, err
		}
	}
	if o.generated > 0 {
		m := wasmtest.Plugin()
		m.Padding = o.generated << 20
		if err := add("generated", m.Bytes()); err != nil {
			return nil, err
		}
	}
	return subjects, nil
}

// registry is one address, behind which there is a new registry for each push.
type registry struct {
	dir     string
	host    string
	server  *http.Server
	handler atomic.Pointer[http.Handler]
}

func serve(dir string) (*registry, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &registry{dir: filepath.Join(dir, "registry"), host: listener.Addr().String()}
	r.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { (*r.handler.Load()).ServeHTTP(w, req) })}
	go r.server.Serve(listener)
	return r, nil
}

func (r *registry) close() { r.server.Close() }

// push runs a contender, and looks whether it did its work.
func (r *registry) push(ctx context.Context, c contender, s *subject) (time.Duration, error) {
	app := cncf.Registry(r.dir, nil)
	defer os.RemoveAll(r.dir)
	defer app.Shutdown()
	var handler http.Handler = app
	r.handler.Store(&handler)
	args := make([]string, len(c.command))
	for i, a := range c.command {
		if args[i] = a; a == "REF" {
			args[i] = r.host + "/team/plugin:1"
		}
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = s.dir
	cmd.Env = []string{"DOCKER_CONFIG=" + s.dir, "HOME=" + s.dir}
	start := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(start)
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, out)
	}
	return took, r.check(s)
}

// check looks for the tag, and for the plugin under its digest.
func (r *registry) check(s *subject) error {
	for _, path := range []string{"manifests/1", "blobs/" + s.digest.String()} {
		req, err := http.NewRequest(http.MethodHead, "http://"+r.host+"/v2/team/plugin/"+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("it ended well, and the registry says of %s: %s", path, resp.Status)
		}
	}
	return nil
}
