package registry

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const sum = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestReferencesAreReadInEveryForm(t *testing.T) {
	for text, want := range map[string]Reference{
		"ghcr.io/team/plugin:1.0":            {Host: "ghcr.io", Repository: "team/plugin", Tag: "1.0"},
		"oci://ghcr.io/team/plugin:1.0":      {Host: "ghcr.io", Repository: "team/plugin", Tag: "1.0"},
		"localhost/plugin":                   {Host: "localhost", Repository: "plugin"},
		"localhost:5000/plugin":              {Host: "localhost:5000", Repository: "plugin"},
		"[::1]:5000/plugin:x":                {Host: "[::1]:5000", Repository: "plugin", Tag: "x"},
		"ghcr.io/team/plugin@" + sum:         {Host: "ghcr.io", Repository: "team/plugin", Digest: sum},
		"ghcr.io/team/plugin:1.0@" + sum:     {Host: "ghcr.io", Repository: "team/plugin", Tag: "1.0", Digest: sum},
		"oci-layout:dist":                    {Kind: Folder, Path: "dist"},
		"oci-layout:./a/dist/:1.0":           {Kind: Folder, Path: "a/dist", Tag: "1.0"},
		"oci-layout:/a:b/dist":               {Kind: Folder, Path: "/a:b/dist"},
		"oci-layout:/a@b/dist@" + sum:        {Kind: Folder, Path: "/a@b/dist", Digest: sum},
		"oci-archive:plugin.tar:1.0":         {Kind: Archive, Path: "plugin.tar", Tag: "1.0"},
		"oci-archive:plugin.tar:1.0@" + sum:  {Kind: Archive, Path: "plugin.tar", Tag: "1.0", Digest: sum},
		`oci-layout:C:\dist`:                 {Kind: Folder, Path: `C:\dist`},
		"registry.example.com:443/a_b/c-d.e": {Host: "registry.example.com:443", Repository: "a_b/c-d.e"},
	} {
		got, err := Parse(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		again, err := Parse(got.String())
		require.NoError(t, err, text)
		assert.Equal(t, got, again, "it reads what it writes")
	}
}

func TestWhatIsNoReferenceIsRefusedWithTheReason(t *testing.T) {
	for text, want := range map[string]string{
		"":                         `"" names no registry: write HOST/REPO:TAG, such as docker.io/name/`,
		"plugin":                   `"plugin" names no registry: write HOST/REPO:TAG, such as docker.io/name/plugin`,
		"localhost:5000":           `"localhost:5000" names a registry and no repository: write HOST/REPO:TAG`,
		"team/plugin:1.0":          `"team" is no registry's host: write HOST/REPO:TAG, such as docker.io/team/plugin`,
		"https://ghcr.io/a/b":      `"https://ghcr.io/a/b" begins with https://: write HOST/REPO:TAG, with oci:// before it or nothing`,
		"ghcr.io/Team/plugin":      `"Team/plugin" is no repository: lower-case letters and digits, in parts set apart by / and within them by one of . _ __ and dashes`,
		"ghcr.io/a/b:.x":           `".x" is no tag, which is up to 128 letters, digits, dots, dashes and underscores, and begins with none of dot and dash`,
		"ghcr.io/a/b@sha256:1":     `"sha256:1" is no digest, which is sha256: and 64 hexadecimal digits`,
		"ghcr.io/a/b@latest":       `"latest" is no digest, which is sha256: and 64 hexadecimal digits`,
		"gh cr.io/a":               `"gh cr.io" is no registry's host`,
		"oci-layout:":              `"oci-layout:" names no file`,
		"ada:secret@ghcr.io/a/b:1": "credentials do not belong into it; publish login keeps them",

		"https://ada:secret@ghcr.io/a/b:1":       "credentials do not belong into it; publish login keeps them",
		"oci://https://ada:secret@ghcr.io/a/b:1": "credentials do not belong into it; publish login keeps them",
	} {
		_, err := Parse(text)
		assert.EqualError(t, err, "not a reference: "+want, text)
		assert.ErrorIs(t, err, ErrReference)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"ghcr.io/a/b:1", "oci://h:1/a@" + sum, "oci-layout:d:1", "oci-archive:a@b", "a:b@c/d", "[::1]:5/x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text)
		if err != nil {
			assert.ErrorIs(t, err, ErrReference)
			return
		}
		if strings.ContainsAny(r.Path, ":@") {
			return // a path may look like a tag when it is written again
		}
		again, err := Parse(r.String())
		assert.NoError(t, err, r.String())
		assert.Equal(t, r, again)
	})
}
