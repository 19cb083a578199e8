package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

var amd64 = &v1.Platform{OS: "linux", Architecture: "amd64"}

// TestImage: one layer with one file, which anyone may run and nobody write.
func TestImage(t *testing.T) {
	img, err := image("cloudtask", "1.2.3", []byte("program"), amd64)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c := config.Config; c.User != "65532:65532" || len(c.Entrypoint) != 1 || c.Entrypoint[0] != "/cloudtask" || len(c.Cmd) > 0 ||
		c.Labels["org.opencontainers.image.version"] != "1.2.3" {
		t.Errorf("config: %+v", c)
	}
	if config.OS != "linux" || config.Architecture != "amd64" {
		t.Errorf("platform: %s/%s", config.OS, config.Architecture)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 || len(config.RootFS.DiffIDs) != 1 {
		t.Fatalf("%d layers, %d known to the config: %v", len(layers), len(config.RootFS.DiffIDs), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	files := tar.NewReader(content)
	file, err := files.Next()
	if err != nil || file.Name != "cloudtask" || file.Mode != 0o555 {
		t.Errorf("first file: %+v, %v", file, err)
	}
	if _, err := files.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("a second file: %v", err)
	}
}

// TestWrite builds a program twice: one archive, whoever builds it, which a
// reader of OCI layouts takes.
func TestWrite(t *testing.T) {
	source, dir := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.org/x\n", "main.go": "package main\n\nvar release string\n\nfunc main() { println(release) }\n"} {
		if err := os.WriteFile(filepath.Join(source, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	platforms := []string{"linux/amd64", "linux/arm64"}
	first := filepath.Join(dir, "first.tar")
	if err := write(first, "example.org/x:1", source, "x", "1", platforms); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOFLAGS", "-ldflags=-X=main.release=mine")
	t.Setenv("GOAMD64", "v3")
	second := filepath.Join(dir, "second.tar")
	if err := write(second, "example.org/x:1", source, "x", "1", platforms); err != nil {
		t.Fatal(err)
	}
	a, errA := os.ReadFile(first)
	b, errB := os.ReadFile(second)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("two archives of one source differ: %d and %d bytes, %v, %v", len(a), len(b), errA, errB)
	}

	unpack(t, first, filepath.Join(dir, "layout"))
	index, err := layout.ImageIndexFromPath(filepath.Join(dir, "layout"))
	if err != nil {
		t.Fatal(err)
	}
	top, err := index.IndexManifest()
	if err != nil || len(top.Manifests) != 1 || top.Manifests[0].Annotations["io.containerd.image.name"] != "example.org/x:1" {
		t.Fatalf("index: %+v, %v", top, err)
	}
	images, err := index.ImageIndex(top.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := images.IndexManifest()
	if err != nil || len(manifest.Manifests) != 2 || manifest.Manifests[1].Platform.Architecture != "arm64" {
		t.Errorf("platforms: %+v, %v", manifest, err)
	}
}

// TestMeasure: what is too large is refused.
func TestMeasure(t *testing.T) {
	program := make([]byte, maxBinary+1)
	img, err := image("cloudtask", "1", program, amd64)
	if err != nil {
		t.Fatal(err)
	}
	if measure("linux/amd64", program, img) == nil {
		t.Error("a program above the bound is accepted")
	}
	if err := measure("linux/amd64", program[1:], img); err != nil {
		t.Error(err)
	}
}

func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, header.Name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o750), os.WriteFile(name, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}
