// Command cloudtask makes Kubernetes wait for asynchronous tasks of Tencent Cloud.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	_ "time/tzdata" // see x509roots

	"github.com/spf13/cobra"
	_ "golang.org/x/crypto/x509roots/fallback" // the image has no files but this program

	"cloudtask.dev/cloudtask/internal/wait"
)

func main() {
	name := strings.ReplaceAll(filepath.Base(os.Args[0]), "kubectl-", "kubectl ")
	root := &cobra.Command{
		Use:           "cloudtask",
		Short:         "Makes Kubernetes wait for asynchronous tasks of Tencent Cloud",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: name},
	}
	root.AddCommand(managerCommand(), wait.NewCommand())
	if err := root.Execute(); err != nil {
		fmt.Fprintf(os.Stderr, "Error: %v\n", err)
		os.Exit(wait.ExitCode(err))
	}
}

// release is the version of a released binary, set by the linker.
var release string

func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return strings.Trim(info.Main.Version, "()")
	}
	return "devel"
}
