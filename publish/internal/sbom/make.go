package sbom

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/opencontainers/go-digest"

	"github.com/routelens/routelens/publish/internal/wasm"
)

// Module is a Go module that was built into a plugin.
type Module struct {
	Path, Version, Sum string
}

// Origin is what a plugin was built of.
type Origin struct {
	Package string // the plugin's own
	Main    Module // that has it
	Modules []Module
}

// ErrNoBuildInfo says that a plugin does not tell what it was built of.
var ErrNoBuildInfo = errors.New("it holds no build information: the Go compiler writes it, TinyGo does not")

// What the Go linker puts around the build information; debug/buildinfo finds it in native programs alone.
var (
	infoStart = []byte("\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6")
	infoEnd   = []byte("\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2")
)

// FromPlugin reads the build information in a plugin that the Go compiler built.
func FromPlugin(plugin []byte) (*Origin, error) {
	_, after, _ := bytes.Cut(plugin, infoStart)
	text, _, whole := bytes.Cut(after, infoEnd)
	if !whole {
		return nil, ErrNoBuildInfo
	}
	info, err := debug.ParseBuildInfo(string(text))
	if err != nil {
		return nil, fmt.Errorf("%w, and what is in its place cannot be read", ErrNoBuildInfo)
	}
	o := &Origin{Package: info.Path, Main: moduleOf(&info.Main)}
	for _, m := range info.Deps {
		o.Modules = append(o.Modules, moduleOf(m))
	}
	if o.Package == "" || slices.ContainsFunc(append(o.Modules, o.Main), func(m Module) bool { return m.Path == "" }) {
		return nil, fmt.Errorf("%w, and what is in its place names no module", ErrNoBuildInfo)
	}
	return o, nil
}

// moduleOf is the module that was used: the one in place of m, unless that is a folder, which has no version.
func moduleOf(m *debug.Module) Module {
	if r := m.Replace; r != nil && released(r.Version) != "" {
		m = r
	}
	return Module{m.Path, released(m.Version), m.Sum}
}

// released is a version, or nothing for what is no release.
func released(version string) string {
	if version == "(devel)" {
		return ""
	}
	return version
}

// listed is a package, as go list -json prints it.
type listed struct {
	ImportPath string
	DepOnly    bool
	Module     *struct { // that has it
		debug.Module
		Main bool
	}
}

// FromGoList reads what go list -deps -json, or tinygo list, prints for the plugin's package.
func FromGoList(data []byte) (*Origin, error) {
	o := &Origin{}
	modules := map[string]Module{}
	in := json.NewDecoder(bytes.NewReader(data))
	for n := 1; ; n++ {
		var one listed
		err := in.Decode(&one)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("value %d is not valid JSON: %w", n, err)
		}
		if one.ImportPath == "" {
			return nil, fmt.Errorf("value %d is no package: it has no ImportPath; go list -deps -json prints them", n)
		}
		m := one.Module
		if m == nil {
			continue // it is of the standard library
		}
		used := moduleOf(&m.Module)
		switch {
		case used.Path == "":
			return nil, fmt.Errorf("value %d, %s, has a module without a Path", n, one.ImportPath)
		case !m.Main:
			modules[m.Path] = used
		case !one.DepOnly:
			o.Package, o.Main = one.ImportPath, used
		}
	}
	if o.Package == "" {
		return nil, errors.New("it lists no package of a main module: run go list -deps -json in the plugin's own folder")
	}
	for _, p := range slices.Sorted(maps.Keys(modules)) {
		o.Modules = append(o.Modules, modules[p])
	}
	return o, nil
}

// About says which plugin a bill of materials is for.
type About struct {
	Plugin  []byte
	Version string    // empty where none is known
	Created time.Time // zero where it is not said
	Maker   string    // the version of publish
}

// Make makes a bill of materials, CycloneDX. The same input gives the same bytes.
func Make(o *Origin, about About) (*Document, error) {
	bom := cyclonedx.NewBOM()
	plugin := o.component(about)
	components := []cyclonedx.Component{}
	needs := []string{}
	for _, m := range o.all(about.Plugin) {
		c := m.component()
		components = append(components, c)
		needs = append(needs, c.BOMRef)
	}
	bom.Metadata = &cyclonedx.Metadata{
		Component: &plugin,
		Tools:     &cyclonedx.ToolsChoice{Components: &[]cyclonedx.Component{{Type: cyclonedx.ComponentTypeApplication, Name: "routelens-publish", Version: about.Maker}}},
	}
	if !about.Created.IsZero() {
		bom.Metadata.Timestamp = about.Created.UTC().Format(time.RFC3339)
	}
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: plugin.BOMRef, Dependencies: &needs}}
	var out bytes.Buffer
	encoder := cyclonedx.NewBOMEncoder(&out, cyclonedx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false)
	if err := encoder.EncodeVersion(bom, cyclonedx.SpecVersion1_6); err != nil {
		return nil, err
	}
	return Parse(out.Bytes())
}

// all are the modules, and what the compilers added of their own.
func (o *Origin) all(plugin []byte) []Module {
	modules := o.Modules
	if m, err := wasm.Read(plugin); err == nil {
		for _, tool := range m.Tools {
			switch version := strings.TrimPrefix(tool.Version, "go"); tool.Name {
			case "Go cmd/compile":
				modules = append(slices.Clone(modules), Module{Path: "std", Version: version})
			case "TinyGo":
				modules = append(slices.Clone(modules), Module{Path: "github.com/tinygo-org/tinygo", Version: "v" + strings.TrimPrefix(version, "v")})
			}
		}
	}
	return modules
}

func (o *Origin) component(about About) cyclonedx.Component {
	version := about.Version
	if version == "" {
		version = o.Main.Version
	}
	purl := purlOf(o.Main.Path, version)
	if within := strings.TrimPrefix(strings.TrimPrefix(o.Package, o.Main.Path), "/"); within != "" {
		purl += "#" + within
	}
	return cyclonedx.Component{
		BOMRef: purl, Type: cyclonedx.ComponentTypeApplication, Name: o.Package, Version: version, PackageURL: purl,
		Hashes: &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: digest.FromBytes(about.Plugin).Encoded()}},
	}
}

func (m Module) component() cyclonedx.Component {
	purl := purlOf(m.Path, m.Version)
	c := cyclonedx.Component{BOMRef: purl, Type: cyclonedx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: purl}
	// The hash of a module, as go.sum has it, is SHA-256 in base64.
	if sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:")); err == nil && len(sum) == digest.SHA256.Size() {
		c.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
	}
	return c
}

// purlOf is a package URL: https://github.com/package-url/purl-spec.
func purlOf(module, version string) string {
	purl := path.Join("pkg:golang", module)
	if version != "" {
		purl += "@" + url.QueryEscape(version)
	}
	return purl
}
