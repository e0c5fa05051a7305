package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/routelens/routelens/envoy/config"
)

// ErrRefused is Envoy's answer to a listener that it does not take; it goes on with the one it had.
var ErrRefused = errors.New("Envoy refused the listener")

// EnvoyOptions say how to run an Envoy. Addresses that Config leaves empty are chosen.
type EnvoyOptions struct {
	Binary      string
	Dir         string // for its configuration and log
	Config      config.Options
	Replaceable bool          // read the listener from a file, so that Replace works
	Concurrency int           // worker threads; 0: 2
	Drain       time.Duration // how long a replaced listener stays; 0: 5 s
	Args        []string      // further flags
}

// Envoy is a running Envoy.
type Envoy struct {
	*Process
	Entry string // base URL of the entry listener
	Admin string // base URL of the admin page

	config config.Options
}

// startLimit is long: compiling a plugin in plain Go takes 3 s of a whole CPU, and a busy machine has
// less to give.
const startLimit = 2 * time.Minute

// StartEnvoy returns once Envoy serves.
func StartEnvoy(ctx context.Context, o EnvoyOptions) (*Envoy, error) {
	if err := chooseAddresses(&o.Config); err != nil {
		return nil, err
	}
	if o.Replaceable {
		o.Config.ListenersFile = filepath.Join(o.Dir, "listeners.yaml")
		if err := write(o.Config.ListenersFile, config.RenderListeners, o.Config); err != nil {
			return nil, err
		}
	}
	bootstrap := filepath.Join(o.Dir, "envoy.yaml")
	if err := write(bootstrap, config.Render, o.Config); err != nil {
		return nil, err
	}
	if o.Concurrency == 0 {
		o.Concurrency = 2
	}
	o.Drain = cmp.Or(o.Drain, 5*time.Second)
	args := append([]string{
		"-c", bootstrap,
		"--concurrency", strconv.Itoa(o.Concurrency),
		"--use-dynamic-base-id",
		// A replaced listener's connections end with their next answer, and all of it after this, not ten minutes.
		"--drain-time-s", strconv.Itoa(int(o.Drain.Seconds())), "--drain-strategy", "immediate",
	}, o.Args...)
	process, err := start("envoy", o.Binary, o.Dir, args...)
	if err != nil {
		return nil, err
	}
	e := &Envoy{Process: process, Entry: "http://" + o.Config.Listen, Admin: "http://" + o.Config.Admin, config: o.Config}
	if err := e.Serves(ctx, startLimit, e.ready); err != nil {
		return nil, err
	}
	return e, nil
}

// ReplaceLimit is how long Envoy may take to load what Replace gave it. All that time its main thread is
// held, and the clock of its timers with it: a listener that is replaced meanwhile drains so much shorter,
// and what is not answered by then is cut off. Where traffic goes on, Drain is to be longer than this.
const ReplaceLimit = 20 * time.Second

// Replace gives Envoy another plugin and other routes, in one rename. It waits for Envoy's answer, and
// returns ErrRefused, with what Envoy says, if that is no.
func (e *Envoy) Replace(ctx context.Context, change func(*config.Options)) error {
	if e.config.ListenersFile == "" {
		return errors.New("replacing the listener: the Envoy was not started as Replaceable")
	}
	before, err := e.listenerUpdates(ctx)
	if err != nil {
		return err
	}
	next := e.config
	if next.Plugin != nil {
		plugin := *next.Plugin
		next.Plugin = &plugin
	}
	change(&next)
	if err := write(next.ListenersFile, config.RenderListeners, next); err != nil {
		return err
	}
	var after updates
	err = Until(ctx, "Envoy to read the new listener", ReplaceLimit, func(ctx context.Context) (string, bool) {
		after, err = e.listenerUpdates(ctx)
		return fmt.Sprintf("%+v, %v", after, err), err == nil && after != before
	})
	if err != nil {
		return err
	}
	if after.rejected > before.rejected {
		return fmt.Errorf("%w: %s", ErrRefused, e.tail(1000))
	}
	e.config = next
	return nil
}

type updates struct{ taken, rejected float64 }

func (e *Envoy) listenerUpdates(ctx context.Context) (updates, error) {
	stats, err := e.StatsOf(ctx, "listener_manager.lds")
	return updates{stats.Sum("envoy_listener_manager_lds_update_success"), stats.Sum("envoy_listener_manager_lds_update_rejected")}, err
}

// Page reads a page of the admin's.
func (e *Envoy) Page(ctx context.Context, path string) ([]byte, error) {
	return fetch(ctx, e.Admin+path)
}

// ready: Envoy says so, and its listener is open.
func (e *Envoy) ready(ctx context.Context) (string, bool) {
	ready, err := fetch(ctx, e.Admin+"/ready")
	if err != nil {
		return err.Error(), false
	}
	entry, err := net.Dial("tcp", e.config.Listen)
	if err != nil {
		return err.Error(), false
	}
	entry.Close()
	return string(ready), true
}

func chooseAddresses(c *config.Options) (err error) {
	for _, address := range []*string{&c.Admin, &c.Listen} {
		if *address == "" {
			if *address, err = FreeAddress(0); err != nil {
				return err
			}
		}
	}
	return nil
}

// write puts the file in place by a rename, which is also what makes Envoy read it again.
func write(file string, render func(io.Writer, config.Options) error, o config.Options) error {
	out, err := os.Create(file + ".new")
	if err != nil {
		return err
	}
	if err := errors.Join(render(out, o), out.Close()); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

var client = &http.Client{Timeout: 30 * time.Second}

// fetch reads a page of one of the processes; parameters come in pairs.
func fetch(ctx context.Context, page string, parameters ...string) ([]byte, error) {
	query := url.Values{}
	for i := 0; i+1 < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	if len(query) > 0 {
		page += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("GET %s: %s: %.500s", page, response.Status, body)
	}
	return body, err
}

var crashes = regexp.MustCompile(`(?i).*(Uncaught RuntimeError|proxy_on_\w+ failed|panic: ).*`)

// Crashes are what an Envoy's log says of plugins that crash, the first lines of it.
func Crashes(log string) []string { return crashes.FindAllString(log, 5) }
