package registry

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"oras.land/oras-go/v2/content/memory"

	"github.com/routelens/routelens/publish/internal/registry/registrytest"
)

// signed fills a store with a plugin at tag 1, a bill of materials that refers to it and is itself signed, and cosign's tag.
func signed(t testing.TB, s *Store) (all []digest.Digest) {
	sbom := manifestOf(t, "sbom", &aManifest.Descriptor)
	ofSBOM := manifestOf(t, "signature of the sbom", &sbom.Descriptor)
	signature := manifestOf(t, "signature", nil)
	_, err := Push(t.Context(), s, []Content{aBlob}, aManifest, []string{"1"})
	require.NoError(t, err)
	for _, m := range []Content{sbom, ofSBOM} {
		_, err := s.Put(t.Context(), m.Descriptor, Bytes(m.Bytes))
		require.NoError(t, err)
	}
	_, err = s.Point(t.Context(), CosignTag(aManifest.Digest, "sig"), signature.Descriptor, signature.Bytes)
	require.NoError(t, err)
	return []digest.Digest{aManifest.Digest, sbom.Digest, ofSBOM.Digest, signature.Digest}
}

func TestACopyBringsSignaturesAndBillsOfMaterialsAlong(t *testing.T) {
	for _, api := range []bool{true, false} {
		serve := func() (string, *registrytest.Registry) {
			r := &registrytest.Registry{Referrers: api}
			server := httptest.NewServer(r)
			t.Cleanup(server.Close)
			return strings.TrimPrefix(server.URL, "http://"), r
		}
		from, _ := serve()
		to, target := serve()
		c := client(t, Options{PlainHTTP: true})
		all := signed(t, open(t, c, from+"/a:1", Write))

		// By way of an archive, as one would without a network.
		archive := "oci-archive:" + filepath.Join(t.TempDir(), "x.tar") + ":1"
		out := open(t, c, archive, Write)
		root, sent, err := Copy(t.Context(), open(t, c, from+"/a:1", Read), out)
		require.NoError(t, err)
		require.NoError(t, out.Commit())
		assert.Equal(t, aManifest.Digest, root.Digest)
		assert.Equal(t, 3, sent.Referred)
		_, sent, err = Copy(t.Context(), open(t, c, archive, Read), open(t, c, to+"/b:2", Write))
		require.NoError(t, err)
		assert.Equal(t, 3, sent.Referred)

		s := open(t, c, to+"/b:2", Read)
		for _, d := range all {
			assert.Equal(t, d, resolved(t, c, to+"/b@"+d.String()))
		}
		belonging, err := Belonging(t.Context(), s, aManifest.Descriptor)
		require.NoError(t, err)
		var found []digest.Digest
		for _, b := range belonging {
			found = append(found, b.Digest)
		}
		assert.Equal(t, []digest.Digest{all[1], all[3]}, found)
		assert.Equal(t, aManifest.Digest, resolved(t, c, to+"/b:2"))

		var order []string
		for _, request := range target.Requests() {
			if strings.HasPrefix(request, "PUT /v2/b/manifests/") {
				order = append(order, strings.TrimPrefix(request, "PUT /v2/b/manifests/"))
			}
		}
		assert.Equal(t, "2", order[len(order)-1], "the tag comes last")

		target.Requests()
		_, sent, err = Copy(t.Context(), open(t, c, archive, Read), open(t, c, to+"/b:2", Write))
		require.NoError(t, err)
		assert.Equal(t, Sent{Referred: 3}, sent)
		assert.False(t, slices.ContainsFunc(target.Requests(), func(r string) bool {
			return strings.HasPrefix(r, "P") && !strings.Contains(r, "/manifests/")
		}), "nothing is uploaded twice")
	}
}

func TestASignatureThatWasLeftOffTheListIsPutOnIt(t *testing.T) {
	r := &registrytest.Registry{} // without the referrers API
	server := httptest.NewServer(r)
	defer server.Close()
	to := strings.TrimPrefix(server.URL, "http://") + "/b:1"
	c := client(t, Options{PlainHTTP: true})
	from := open(t, c, "oci-layout:"+t.TempDir()+":1", Write)
	all := signed(t, from)
	r.Hook = func(w http.ResponseWriter, req *http.Request) bool {
		if req.Method != http.MethodPut || !strings.HasSuffix(req.URL.Path, "/manifests/sha256-"+aManifest.Digest.Encoded()) {
			return false
		}
		registrytest.Fail(w, 400, "UNKNOWN", "killed here")
		return true
	}
	_, _, err := Copy(t.Context(), from, open(t, c, to, Write))
	require.ErrorIs(t, err, ErrRefused)
	r.Hook = nil
	_, _, err = Copy(t.Context(), from, open(t, c, to, Write))
	require.NoError(t, err)
	found, err := open(t, c, to, Read).Referrers(t.Context(), aManifest.Descriptor)
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, all[1], found[0].Digest)
}

func TestPushGoesToAnyTarget(t *testing.T) {
	s := Over(Reference{Host: "memory", Repository: "p", Tag: "1"}, memory.New())
	sent, err := Push(t.Context(), s, []Content{aBlob}, aManifest, []string{"1", "latest"})
	require.NoError(t, err)
	assert.Equal(t, Sent{Blobs: 1, Bytes: 6, Tags: 2}, sent)
	sent, err = Push(t.Context(), s, []Content{aBlob}, aManifest, []string{"1", "latest"})
	require.NoError(t, err)
	assert.Equal(t, Sent{}, sent)
	d, err := s.Resolve(t.Context())
	require.NoError(t, err)
	assert.Equal(t, aManifest.Digest, d.Digest)
}

func TestAFailedPushLeavesTheTag(t *testing.T) {
	r := &registrytest.Registry{}
	server := httptest.NewServer(r)
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	c := client(t, Options{PlainHTTP: true})
	require.NoError(t, push(open(t, c, host+"/p:1", Write), "1"))
	r.Hook = func(w http.ResponseWriter, req *http.Request) bool {
		if req.Method == http.MethodPut && !strings.Contains(req.URL.Path, "/manifests/") {
			registrytest.Fail(w, 500, "UNKNOWN", "no")
			return true
		}
		return false
	}
	other := contentOf("application/x", "another blob")
	_, err := Push(t.Context(), open(t, c, host+"/p:1", Write), []Content{aBlob, other}, manifestOf(t, "new", nil), []string{"1"})
	assert.ErrorIs(t, err, ErrServer)
	r.Hook = nil
	assert.Equal(t, aManifest.Digest, resolved(t, c, host+"/p:1"))
}

func TestAnUploadThatWasForgottenBeginsAnew(t *testing.T) {
	forgotten := false
	r := &registrytest.Registry{Hook: func(w http.ResponseWriter, req *http.Request) bool {
		if forgotten || req.Method != http.MethodPut || strings.Contains(req.URL.Path, "/manifests/") {
			return false
		}
		forgotten = true
		registrytest.Fail(w, 404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
		return true
	}}
	server := httptest.NewServer(r)
	defer server.Close()
	require.NoError(t, push(open(t, client(t, Options{PlainHTTP: true}), strings.TrimPrefix(server.URL, "http://")+"/p:1", Write), "1"))
	posts := 0
	for _, request := range r.Requests() {
		if strings.HasPrefix(request, "POST") {
			posts++
		}
	}
	assert.Equal(t, 2, posts)
}

func TestProgressCountsWhatIsSentAndReceived(t *testing.T) {
	server := httptest.NewServer(&registrytest.Registry{})
	defer server.Close()
	var sent, received int64
	c := client(t, Options{PlainHTTP: true, Sent: func(n int64) { sent += n }, Received: func(n int64) { received += n }})
	ref := strings.TrimPrefix(server.URL, "http://") + "/p:1"
	require.NoError(t, push(open(t, c, ref, Write), "1"))
	assert.EqualValues(t, aBlob.Size, sent)
	assert.Zero(t, received)
	body, err := open(t, c, ref, Read).Fetch(t.Context(), aBlob.Descriptor)
	require.NoError(t, err)
	_, err = body.Read(make([]byte, 100))
	require.True(t, err == nil || errors.Is(err, http.ErrBodyReadAfterClose) || err.Error() == "EOF")
	assert.EqualValues(t, aBlob.Size, received)
}
