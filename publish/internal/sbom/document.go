// Package sbom reads bills of materials, makes one for a plugin of Go, and attaches them to what they are about.
package sbom

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/opencontainers/image-spec/specs-go/v1"
	spdx "github.com/spdx/tools-golang/json"

	"github.com/routelens/routelens/publish/internal/registry"
)

// The media types, which are the types of the artifacts as well.
const (
	SPDXType      = "application/spdx+json"
	CycloneDXType = "application/vnd.cyclonedx+json"
)

// ErrNoSBOM is wrapped by each error of [Parse].
var ErrNoSBOM = errors.New("no bill of materials")

// MaxSize bounds what is read.
const MaxSize = 64 << 20

// Document is a bill of materials.
type Document struct {
	MediaType string
	Format    string // with its version, such as CycloneDX 1.6
	Parts     int    // what it lists
	Bytes     []byte
}

// Parse tells what a document says that it is, and reads it as that.
func Parse(data []byte) (*Document, error) {
	d, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoSBOM, err)
	}
	return d, nil
}

func parse(data []byte) (*Document, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("it has %d bytes, and %d at most are read", len(data), MaxSize)
	}
	var kind struct {
		BOMFormat   *string `json:"bomFormat"`
		SPDXVersion *string `json:"spdxVersion"`
		Context     any     `json:"@context"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, notJSON(data, err)
	}
	switch {
	case kind.BOMFormat != nil && kind.SPDXVersion != nil:
		return nil, errors.New("it has bomFormat, as CycloneDX, and spdxVersion, as SPDX")
	case kind.BOMFormat != nil:
		return parseCycloneDX(data)
	case kind.SPDXVersion != nil:
		return parseSPDX(data)
	case strings.Contains(fmt.Sprint(kind.Context), "spdx.org"):
		return nil, errors.New("it is SPDX 3, and up to 2.3 is read here")
	}
	return nil, errors.New("it has neither bomFormat, as CycloneDX, nor spdxVersion, as SPDX")
}

// notJSON says what it is instead of a JSON object.
func notJSON(data []byte, err error) error {
	var kind *json.UnmarshalTypeError
	head := bytes.TrimSpace(data[:min(len(data), 512)])
	switch {
	case bytes.HasPrefix(head, []byte("<")):
		return errors.New("it is XML, and JSON is wanted")
	case bytes.HasPrefix(head, []byte("SPDXVersion:")):
		return errors.New("it is SPDX's tag-value form, and JSON is wanted")
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("%s must be a string", kind.Field)
	case errors.As(err, &kind):
		return errors.New("it is JSON, and no object")
	}
	return fmt.Errorf("it is not valid JSON: %w", err)
}

func parseCycloneDX(data []byte) (*Document, error) {
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(data), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		return nil, fmt.Errorf("it cannot be read as CycloneDX: %w", err)
	}
	switch {
	case bom.BOMFormat != cyclonedx.BOMFormat:
		return nil, fmt.Errorf("bomFormat is %q, and must be %q", bom.BOMFormat, cyclonedx.BOMFormat)
	case bom.SpecVersion == 0:
		return nil, errors.New("specVersion is missing")
	}
	parts := 0
	if bom.Components != nil {
		parts = len(*bom.Components)
		for i, c := range *bom.Components {
			if c.Name == "" || c.Type == "" {
				return nil, fmt.Errorf("components[%d] must have a name (%q) and a type (%q)", i, c.Name, c.Type)
			}
		}
	}
	return &Document{CycloneDXType, "CycloneDX " + bom.SpecVersion.String(), parts, data}, nil
}

func parseSPDX(data []byte) (*Document, error) {
	doc, err := spdx.Read(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("it cannot be read as SPDX: %w", err)
	}
	for key, value := range map[string]string{"SPDXID": string(doc.SPDXIdentifier), "name": doc.DocumentName, "documentNamespace": doc.DocumentNamespace} {
		if value == "" {
			return nil, fmt.Errorf("%s is missing", key)
		}
	}
	for i, p := range doc.Packages {
		if p == nil || p.PackageName == "" {
			return nil, fmt.Errorf("packages[%d].name is missing", i)
		}
	}
	var version struct{ SPDXVersion string } // reading turns it into the newest
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, err
	}
	return &Document{SPDXType, strings.Replace(version.SPDXVersion, "-", " ", 1), len(doc.Packages), data}, nil
}

// names are what a file of each type is called by those who pull it.
var names = map[string]string{SPDXType: "sbom.spdx.json", CycloneDXType: "sbom.cdx.json"}

// Attach makes a document refer to what is in the store. It tells whether there was anything to send.
func Attach(ctx context.Context, store *registry.Store, about v1.Descriptor, d *Document) (attached v1.Descriptor, sent bool, err error) {
	c := registry.Describe(d.MediaType, d.Bytes)
	c.Annotations = map[string]string{v1.AnnotationTitle: names[d.MediaType]}
	return registry.Refer(ctx, store, about, c, nil)
}
