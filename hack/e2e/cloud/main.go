// Command cloud is the simulated Tencent Cloud as a pod of the e2e tests. Unlike
// hack/fakecloud it listens on all addresses, which is right only where nothing
// but the test can reach them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"cloudtask.dev/cloudtask/internal/fakecloud"
)

func main() {
	listen := flag.String("listen", ":8080", "address to listen on")
	flag.Parse()
	if err := run(*listen); err != nil {
		fmt.Fprintln(os.Stderr, "cloud:", err)
		os.Exit(1)
	}
}

func run(listen string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	cloud := fakecloud.New(fakecloud.Options{Admin: true})
	handler := &callers{cloud: cloud, first: map[string]time.Time{}}
	server := &http.Server{Addr: listen, Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	context.AfterFunc(ctx, func() {
		cloud.Close()      // ends calls that hang on purpose
		_ = server.Close() // nothing is left to be saved
	})
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
