// Command image writes the operator's image as an OCI archive, without Docker and
// without a registry: from scratch, one static binary, for one or more platforms.
// Two runs over the same source write the same bytes.
package main

import (
	"archive/tar"
	"bytes"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// user is nobody in particular: not root, and the same everywhere.
	user = "65532:65532"
	// What a platform may take, in bytes.
	maxBinary     = 60e6
	maxCompressed = 25e6
)

func main() {
	name := flag.String("name", "cloudtask.dev/cloudtask:dev", "name and tag of the image")
	version := flag.String("version", "dev", "version that the binary says it is")
	platforms := flag.String("platforms", "linux/amd64,linux/arm64", "platforms, comma-separated")
	source := flag.String("source", ".", "folder of the package to build")
	binary := flag.String("binary", "cloudtask", "name of the binary in the image")
	out := flag.String("o", "bin/image.tar", "archive to write")
	flag.Parse()
	if err := write(*out, *name, *source, *binary, *version, strings.Split(*platforms, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// write builds the image for all platforms and writes the archive.
func write(out, name, source, binary, version string, platforms []string) error {
	var index v1.ImageIndex = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range platforms {
		platform, err := v1.ParsePlatform(p)
		if err != nil {
			return fmt.Errorf("platform %s: %w", p, err)
		}
		fmt.Fprintf(os.Stderr, "Building for %s …\n", p) // minutes, if Go has compiled none of it yet
		program, err := build(source, version, platform)
		if err != nil {
			return err
		}
		img, err := image(binary, version, program, platform)
		if err != nil {
			return fmt.Errorf("image for %s: %w", p, err)
		}
		if err := measure(p, program, img); err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: platform}})
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Printf("%s %s\n", name, digest)
	return archive(out, name, index)
}

// measure prints how large a platform's image is, and refuses one too large.
func measure(platform string, program []byte, img v1.Image) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	compressed := int64(0)
	for _, layer := range layers {
		size, err := layer.Size()
		if err != nil {
			return err
		}
		compressed += size
	}
	fmt.Printf("%s: binary %.1f of at most %.0f MB, compressed %.1f of at most %.0f MB\n",
		platform, float64(len(program))/1e6, maxBinary/1e6, float64(compressed)/1e6, maxCompressed/1e6)
	if len(program) > maxBinary || compressed > maxCompressed {
		return fmt.Errorf("the image for %s is too large", platform)
	}
	return nil
}

// build compiles a static binary that depends on nothing but its source and the
// version of Go: not on where it is built, nor on settings of whoever builds it.
func build(source, version string, platform *v1.Platform) ([]byte, error) {
	dir, err := os.MkdirTemp("", "image-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "program")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.release="+version, "-o", file, ".")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+platform.OS, "GOARCH="+platform.Architecture,
		"GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("build for %s: %w", platform, err)
	}
	return os.ReadFile(file)
}

// image is the binary on top of nothing.
func image(name, version string, program []byte, platform *v1.Platform) (v1.Image, error) {
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o555, Size: int64(len(program))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(9))
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layer)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	return mutate.ConfigFile(img, &v1.ConfigFile{
		OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant,
		RootFS: config.RootFS,
		Config: v1.Config{
			User: user, Entrypoint: []string{"/" + name},
			Labels: map[string]string{
				"org.opencontainers.image.title":   name,
				"org.opencontainers.image.version": version,
			},
		},
	})
}

// archive writes an index as a tar of an OCI layout, which containerd, podman and
// skopeo read. The annotations give it its name.
func archive(out, name string, index v1.ImageIndex) error {
	dir, err := os.MkdirTemp("", "layout-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	names := map[string]string{"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
	if err := path.AppendIndex(index, layout.WithAnnotations(names)); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	if err := pack(f, dir); err != nil {
		f.Close()
		return fmt.Errorf("write %s: %w", out, err)
	}
	return f.Close()
}

// pack writes the files of a folder in the order of their names, without times.
func pack(out io.Writer, dir string) error {
	w := tar.NewWriter(out)
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(content))}); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err != nil {
		return err
	}
	return w.Close()
}
