// Package registrytest is a registry in memory, as small as tests need it, that misbehaves as it is told.
package registrytest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Registry is an [http.Handler]. The zero value is an empty registry.
type Registry struct {
	Hook      func(http.ResponseWriter, *http.Request) bool // answers a request in place of the registry, if it returns true
	Referrers bool                                          // it has the referrers API

	mu       sync.Mutex
	blobs    map[string][]byte // by repository and digest
	types    map[string]string // the media types of those that are manifests
	tags     map[string]string // the digest, by repository and tag
	uploads  int
	requests []string
}

// Requests are those since the last call, such as "HEAD /v2/p/manifests/1".
func (r *Registry) Requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	requests := r.requests
	r.requests = nil
	return requests
}

// Fail answers as registries do.
func Fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.requests = append(r.requests, req.Method+" "+req.URL.Path)
	r.mu.Unlock()
	if r.Hook != nil && r.Hook(w, req) {
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.blobs == nil {
		r.blobs, r.types, r.tags = map[string][]byte{}, map[string]string{}, map[string]string{}
	}
	path := strings.TrimPrefix(req.URL.Path, "/v2/")
	for _, kind := range []struct {
		part   string
		handle func(w http.ResponseWriter, req *http.Request, repository, rest string, body []byte)
	}{{"/blobs/uploads/", r.upload}, {"/blobs/", r.blob}, {"/manifests/", r.manifest}, {"/tags/list", r.list}, {"/referrers/", r.referrers}} {
		if repository, rest, ok := strings.Cut(path, kind.part); ok {
			kind.handle(w, req, repository, rest, body)
			return
		}
	}
	if path != "" {
		http.NotFound(w, req)
	}
}

func (r *Registry) upload(w http.ResponseWriter, req *http.Request, repository, _ string, body []byte) {
	if req.Method == http.MethodPost {
		r.uploads++
		w.Header().Set("Location", fmt.Sprintf("/v2/%s/blobs/uploads/%d?_state=signed-state", repository, r.uploads))
		w.WriteHeader(http.StatusAccepted)
		return
	}
	wanted := req.URL.Query().Get("digest")
	if digest.FromBytes(body).String() != wanted {
		Fail(w, http.StatusBadRequest, "DIGEST_INVALID", "provided digest did not match uploaded content")
		return
	}
	r.blobs[repository+"@"+wanted] = body
	w.WriteHeader(http.StatusCreated)
}

func (r *Registry) blob(w http.ResponseWriter, req *http.Request, repository, name string, _ []byte) {
	data, ok := r.blobs[repository+"@"+name]
	if !ok {
		Fail(w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry")
		return
	}
	send(w, req, data, "application/octet-stream")
}

func send(w http.ResponseWriter, req *http.Request, data []byte, mediaType string) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	w.Header().Set("Docker-Content-Digest", digest.FromBytes(data).String())
	if req.Method != http.MethodHead {
		w.Write(data)
	}
}

func (r *Registry) manifest(w http.ResponseWriter, req *http.Request, repository, name string, body []byte) {
	if req.Method == http.MethodPut {
		d := digest.FromBytes(body).String()
		key := repository + "@" + d
		r.blobs[key], r.types[key] = body, req.Header.Get("Content-Type")
		if name != d {
			r.tags[repository+":"+name] = d
		}
		var about struct{ Subject *ocispec.Descriptor }
		if json.Unmarshal(body, &about) == nil && about.Subject != nil && r.Referrers {
			w.Header().Set("OCI-Subject", about.Subject.Digest.String())
		}
		w.Header().Set("Docker-Content-Digest", d)
		w.WriteHeader(http.StatusCreated)
		return
	}
	if tagged, ok := r.tags[repository+":"+name]; ok {
		name = tagged
	}
	key := repository + "@" + name
	mediaType, ok := r.types[key]
	switch {
	case ok:
		send(w, req, r.blobs[key], mediaType)
	case r.known(repository):
		Fail(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
	default:
		Fail(w, http.StatusNotFound, "NAME_UNKNOWN", "repository name not known to registry")
	}
}

func (r *Registry) known(repository string) bool {
	for key := range r.types {
		if strings.HasPrefix(key, repository+"@") {
			return true
		}
	}
	return false
}

func (r *Registry) list(w http.ResponseWriter, _ *http.Request, repository, _ string, _ []byte) {
	if !r.known(repository) {
		Fail(w, http.StatusNotFound, "NAME_UNKNOWN", "repository name not known to registry")
		return
	}
	tags := []string{}
	for key := range r.tags {
		if tag, ok := strings.CutPrefix(key, repository+":"); ok {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	json.NewEncoder(w).Encode(map[string]any{"name": repository, "tags": tags})
}

func (r *Registry) referrers(w http.ResponseWriter, req *http.Request, repository, of string, _ []byte) {
	if !r.Referrers {
		http.NotFound(w, req)
		return
	}
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{}}
	index.SchemaVersion = 2
	for key, mediaType := range r.types {
		var about ocispec.Manifest
		if !strings.HasPrefix(key, repository+"@") || json.Unmarshal(r.blobs[key], &about) != nil || about.Subject == nil || about.Subject.Digest.String() != of {
			continue
		}
		index.Manifests = append(index.Manifests, ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(r.blobs[key]), Size: int64(len(r.blobs[key])), ArtifactType: about.ArtifactType})
	}
	w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
	json.NewEncoder(w).Encode(index)
}
