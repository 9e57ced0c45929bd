// Command bench measures Terroir and prints the figures beside the aims, as package test/bench does.
//
//	go run ./test/cmd/bench
//	go run ./test/cmd/bench -short
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/terroir-dev/terroir/test/bench"
)

func main() {
	short := flag.Bool("short", false, "measure everything a little: shows that every figure can be had, and is worth nothing as one")
	serve := flag.String("serve-nothing", "", "instead, serve a webhook that does nothing at this address; the benchmarks start it")
	certificate := flag.String("cert", "", "with -serve-nothing: file of its certificate")
	key := flag.String("key", "", "with -serve-nothing: file of its key")
	flag.Parse()
	ctrl.SetLogger(logr.Discard()) // its clients have nothing to say here
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	run := func() error {
		return bench.Run(ctx, bench.Options{Short: *short, Out: os.Stdout, Progress: os.Stderr})
	}
	if *serve != "" {
		run = func() error { return bench.ServeNothing(ctx, *serve, *certificate, *key) }
	}
	err := run()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
