// Package registry reaches the places where artifacts are kept: registries, and layouts in a folder or a file for where there is no
// network. Its errors name the place, what was tried and what to do.
package registry

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/registry"
)

// Kind is what sort of place a reference names.
type Kind int

// The kinds of places.
const (
	Remote  Kind = iota // a registry
	Folder              // an OCI image layout in a folder
	Archive             // the same in a tar file
)

// Reference is a place, and perhaps one artifact in it.
type Reference struct {
	Kind       Kind
	Host       string // of a registry, with its port if it has one
	Repository string // in a registry
	Path       string // of a folder or file
	Tag        string
	Digest     digest.Digest
}

const (
	scheme        = "oci://"
	folderPrefix  = "oci-layout:"
	archivePrefix = "oci-archive:"
)

// ErrReference is wrapped by each error of [Parse].
var ErrReference = errors.New("not a reference")

var tagPattern = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}$`)

// Parse reads HOST/REPO[:TAG][@DIGEST], with or without oci:// before it, oci-layout:DIR[:TAG][@DIGEST] and oci-archive:FILE[:TAG][@DIGEST].
func Parse(s string) (Reference, error) {
	r, err := parse(s)
	if err != nil {
		return Reference{}, fmt.Errorf("%w: %w", ErrReference, err)
	}
	return r, nil
}

func parse(s string) (r Reference, err error) {
	rest := s
	for prefix, kind := range map[string]Kind{folderPrefix: Folder, archivePrefix: Archive} {
		if cut, ok := strings.CutPrefix(s, prefix); ok {
			rest, r.Kind = cut, kind
		}
	}
	if r.Kind == Remote {
		rest = strings.TrimPrefix(rest, scheme)
		before, after, isURL := strings.Cut(rest, "://")
		if !isURL {
			after = rest
		}
		if host, _, _ := strings.Cut(after, "/"); strings.Contains(host, "@") && !strings.Contains(host, "@sha") {
			return r, errors.New("credentials do not belong into it; publish login keeps them")
		}
		if isURL {
			return r, fmt.Errorf("%q begins with %s://: write HOST/REPO:TAG, with oci:// before it or nothing", rest, before)
		}
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 && (r.Kind == Remote || strings.HasPrefix(rest[at:], "@sha")) {
		if r.Digest, err = digest.Parse(rest[at+1:]); err != nil {
			return r, fmt.Errorf("%q is no digest, which is sha256: and 64 hexadecimal digits", rest[at+1:])
		}
		rest = rest[:at]
	}
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexAny(rest, `/\`) && colon > 1 {
		r.Tag = rest[colon+1:]
		if err := CheckTag(r.Tag); err != nil {
			return r, err
		}
		rest = rest[:colon]
	}
	if r.Kind != Remote {
		if rest == "" {
			return r, fmt.Errorf("%q names no file", s)
		}
		r.Path = filepath.Clean(rest)
		return r, nil
	}
	return r, r.repository(rest)
}

// repository reads HOST/REPO.
func (r *Reference) repository(s string) error {
	host, repository, ok := strings.Cut(s, "/")
	switch {
	case !ok && r.Tag != "" && strings.Trim(r.Tag, "0123456789") == "":
		return fmt.Errorf("%q names a registry and no repository: write HOST/REPO:TAG", s+":"+r.Tag)
	case !ok:
		return fmt.Errorf("%q names no registry: write HOST/REPO:TAG, such as docker.io/%s", s, strings.TrimPrefix("name/"+s, "name/name/"))
	case !strings.ContainsAny(host, ".:") && host != "localhost":
		return fmt.Errorf("%q is no registry's host: write HOST/REPO:TAG, such as docker.io/%s", host, s)
	}
	if err := (registry.Reference{Registry: host}).ValidateRegistry(); err != nil {
		return fmt.Errorf("%q is no registry's host", host)
	}
	if err := (registry.Reference{Repository: repository}).ValidateRepository(); err != nil {
		return fmt.Errorf("%q is no repository: lower-case letters and digits, in parts set apart by / and within them by one of . _ __ and dashes", repository)
	}
	r.Host, r.Repository = host, repository
	return nil
}

// Place is the reference without tag and digest.
func (r Reference) Place() string {
	switch r.Kind {
	case Folder:
		return folderPrefix + r.Path
	case Archive:
		return archivePrefix + r.Path
	}
	return r.Host + "/" + r.Repository
}

func (r Reference) String() string {
	s := r.Place()
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest.String()
	}
	return s
}

// At is the reference that names an artifact by its digest alone, so for ever.
func (r Reference) At(d digest.Digest) Reference {
	r.Tag, r.Digest = "", d
	return r
}

// Tagged is the same place with another tag.
func (r Reference) Tagged(tag string) Reference {
	r.Tag, r.Digest = tag, ""
	return r
}

// Name is what a registry is asked for: the digest where there is one, else the tag, else latest.
func (r Reference) Name() string {
	switch {
	case r.Digest != "":
		return r.Digest.String()
	case r.Tag != "":
		return r.Tag
	}
	return "latest"
}

// CheckTag tells why no registry would take a tag.
func CheckTag(tag string) error {
	if !tagPattern.MatchString(tag) {
		return fmt.Errorf("%q is no tag, which is up to 128 letters, digits, dots, dashes and underscores, and begins with none of dot and dash", tag)
	}
	return nil
}
