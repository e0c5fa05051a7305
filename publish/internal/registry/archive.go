package registry

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/oci"
)

// openArchive opens a layout in a tar file. What is written waits in a folder beside it until it is committed: then the whole file is
// replaced.
func openArchive(file string, access Access) (*layout, error) {
	l := newLayout()
	marker, index, err := readArchive(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && access == Write:
		l.old = oci.NewStorageFromFS(nothing{})
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: there is no such file", errBadLayoutFile)
	case err != nil:
		return nil, err
	case marker == nil:
		return nil, fmt.Errorf("%w: it has no file %s", errBadLayoutFile, ocispec.ImageLayoutFile)
	default:
		if err := checkMarker(marker); err != nil {
			return nil, err
		}
		if index != nil {
			if err := l.readIndex(index, nil); err != nil {
				return nil, err
			}
		}
		if l.old, err = oci.NewStorageFromTar(file); err != nil {
			return nil, err
		}
	}
	if access == Read {
		return l, nil
	}
	waiting, err := os.MkdirTemp(filepath.Dir(file), "."+filepath.Base(file)+".part-*")
	if err != nil {
		return nil, err
	}
	l.close = func() error { return os.RemoveAll(waiting) }
	if l.added, err = oci.NewStorage(waiting); err != nil {
		l.close()
		return nil, err
	}
	l.commit = func() error { return replaceWith(file, l.writeArchive) }
	return l, nil
}

// nothing is a file system with no file.
type nothing struct{}

func (nothing) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// readArchive finds the two files of a layout that are not blobs.
func readArchive(file string) (marker, index []byte, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	for archive := tar.NewReader(f); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return marker, index, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%w: it is not a sound tar archive (a compressed one must be unpacked first): %w", errBadLayoutFile, err)
		}
		into := map[string]*[]byte{ocispec.ImageLayoutFile: &marker, ocispec.ImageIndexFile: &index}[path.Clean(header.Name)]
		if into == nil {
			continue
		}
		if *into, err = io.ReadAll(io.LimitReader(archive, maxIndex)); err != nil {
			return nil, nil, err
		}
	}
}

// writeArchive writes all that the index leads to, in one order, with no times: the same content gives the same file.
func (l *layout) writeArchive(w io.Writer) error {
	ctx := context.Background()
	blobs := map[string]ocispec.Descriptor{}
	if err := l.walk(ctx, func(d ocispec.Descriptor, _ []byte) {
		blobs[path.Join(ocispec.ImageBlobsDir, d.Digest.Algorithm().String(), d.Digest.Encoded())] = d
	}); err != nil {
		return err
	}
	archive := tar.NewWriter(w)
	for _, file := range []struct {
		name string
		data []byte
	}{{ocispec.ImageLayoutFile, []byte(layoutFile)}, {ocispec.ImageIndexFile, l.encoded()}} {
		if err := archive.WriteHeader(entry(file.name, int64(len(file.data)))); err != nil {
			return err
		}
		if _, err := archive.Write(file.data); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(blobs)) {
		d := blobs[name]
		if there, err := l.Exists(ctx, d); err != nil {
			return err
		} else if !there {
			continue
		}
		if err := l.writeBlob(ctx, archive, name, d); err != nil {
			return fmt.Errorf("%s: %w", d.Digest, err)
		}
	}
	return archive.Close()
}

func (l *layout) writeBlob(ctx context.Context, archive *tar.Writer, name string, d ocispec.Descriptor) error {
	body, err := l.Fetch(ctx, d)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := archive.WriteHeader(entry(name, d.Size)); err != nil {
		return err
	}
	checked := content.NewVerifyReader(body, d)
	if _, err := io.Copy(archive, checked); err != nil {
		return err
	}
	return checked.Verify()
}

func entry(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
}
