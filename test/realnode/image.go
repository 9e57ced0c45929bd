package realnode

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/terroir-dev/terroir/test/terroir"
)

// Image is a container image of one static binary in one layer.
type Image struct {
	Name   string // with its tag
	Source string // the main package in this repository, such as ./cmd/manager
	User   string // by number; empty for root
}

// build compiles the program and writes the image into a folder, in the format of docker save, which every runtime reads.
func (i Image) build(ctx context.Context, dir string) (path string, err error) {
	program := filepath.Base(i.Source)
	binary := filepath.Join(dir, program)
	build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", binary, i.Source)
	build.Dir = terroir.Root()
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", i.Source, err, out)
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return "", fmt.Errorf("reading what was built: %w", err)
	}
	var archive bytes.Buffer
	if err := i.write(&archive, program, content); err != nil {
		return "", fmt.Errorf("writing image %s: %w", i.Name, err)
	}
	path = binary + ".tar"
	return path, os.WriteFile(path, archive.Bytes(), 0o600)
}

// write writes the image: the layer, the configuration that names the layer by its digest, the manifest that names both.
func (i Image) write(to io.Writer, program string, binary []byte) error {
	var layer bytes.Buffer
	if err := files(&layer, 0o755, file{program, binary}); err != nil {
		return err
	}
	digest := sha256.Sum256(layer.Bytes())
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"User": i.User, "Entrypoint": []string{"/" + program}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(digest[:])}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{i.Name}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	return files(to, 0o644, file{"manifest.json", manifest}, file{"config.json", config}, file{"layer.tar", layer.Bytes()})
}

type file struct {
	name    string
	content []byte
}

func files(to io.Writer, mode int64, files ...file) error {
	archive := tar.NewWriter(to)
	for _, f := range files {
		if err := archive.WriteHeader(&tar.Header{Name: f.name, Mode: mode, Size: int64(len(f.content))}); err != nil {
			return err
		}
		if _, err := archive.Write(f.content); err != nil {
			return err
		}
	}
	return archive.Close()
}
