package artifact

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Metadata is what a publisher says about a plugin. What is empty is not said.
type Metadata struct {
	Created     time.Time // when the sources were made, as SOURCE_DATE_EPOCH says; never the time of the push
	Source      string    // the URL of the sources
	Revision    string    // of the sources, such as a commit
	Version     string
	Licenses    string // an SPDX expression
	Description string
	Extra       map[string]string // annotations of one's own; they come before the others
}

// annotations are the manifest's.
func (m Metadata) annotations() map[string]string {
	all := map[string]string{}
	if !m.Created.IsZero() {
		all[ocispec.AnnotationCreated] = m.Created.UTC().Format(time.RFC3339)
	}
	for key, value := range map[string]string{
		ocispec.AnnotationSource:      m.Source,
		ocispec.AnnotationRevision:    m.Revision,
		ocispec.AnnotationVersion:     m.Version,
		ocispec.AnnotationLicenses:    m.Licenses,
		ocispec.AnnotationDescription: m.Description,
	} {
		if value != "" {
			all[key] = value
		}
	}
	maps.Copy(all, m.Extra)
	return all
}

// Epoch reads SOURCE_DATE_EPOCH: seconds since 1970. Nothing at all is the zero time.
func Epoch(value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil || seconds < 0 || seconds > maxEpoch {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH (%q) must be seconds since 1970, such as the output of git log -1 --format=%%ct", value)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// maxEpoch is the end of the year 9999, the last that RFC 3339 can write.
const maxEpoch = 253402300799

// ParseAnnotation reads key=value. The value may be empty, and hold further equals signs.
func ParseAnnotation(s string) (key, value string, err error) {
	key, value, ok := strings.Cut(s, "=")
	if !ok || key == "" {
		return "", "", fmt.Errorf("annotation %q must be key=value", s)
	}
	return key, value, nil
}
