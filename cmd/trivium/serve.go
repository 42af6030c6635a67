package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"trivium/server"
)

// goodbye is how long a stop waits for connections to end.
const goodbye = 10 * time.Second

// The defaults listen on loopback only: a broker that is reached from elsewhere
// is one that somebody opened on purpose (docs/decisions/003-loopback.md).
const (
	defaultData  = "trivium-data"
	defaultAMQP  = "127.0.0.1:5672"
	defaultKafka = "127.0.0.1:9092"
	defaultNATS  = "127.0.0.1:4222"
	defaultAdmin = "127.0.0.1:8322" // neither RabbitMQ's 15672 nor NATS's 8222: it answers as neither
)

func serveCommand() *cobra.Command {
	var o server.Options
	var durability durability
	minFree := size(server.DefaultMinFreeBytes)
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve AMQP, Kafka and NATS clients",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Durability = server.Durability(durability)
			if o.MinFreeBytes = int64(minFree); minFree == 0 {
				o.MinFreeBytes = -1
			}
			o.Log = slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
			return serve(c.Context(), o, c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.Dir, "data", defaultData, "`directory` of the store, made if it does not exist")
	f.StringVar(&o.AMQP, "amqp", defaultAMQP, "`host:port` for AMQP 0-9-1 clients; port 0 = any free one, empty = off")
	f.StringVar(&o.Kafka, "kafka", defaultKafka, "`host:port` for Kafka clients, likewise")
	f.StringVar(&o.NATS, "nats", defaultNATS, "`host:port` for NATS clients, likewise")
	f.StringVar(&o.Admin, "admin", defaultAdmin, "`host:port` for health, metrics and trivium ctl over HTTP, likewise")
	f.Var(&durability, "durability", "`mode`: when a message counts as stored: sync (on disk), interval (written,\nsynced a moment later) or os (written, synced by the system)")
	f.Var(&minFree, "min-free", "free disk `size` below which nothing more is published; 0 = any will do")
	return c
}

// serve runs a server until ctx ends, and tells what it does on out.
func serve(ctx context.Context, o server.Options, out io.Writer) error {
	began := time.Now()
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return &server.DirError{Dir: o.Dir, Err: err}
	}
	o.Dir = dir
	s, err := server.Start(o)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "data   in %s\n", o.Dir)
	for _, name := range []string{server.AMQP, server.Kafka, server.NATS, server.Admin} {
		if addr := s.Addr(name); addr != "" {
			fmt.Fprintf(out, "%-6s on %s\n", name, addr)
		}
	}
	if d := durability(o.Durability); o.Durability != server.Sync {
		fmt.Fprintf(out, "durability %v: what was acknowledged in the last moments can be lost %s\n", d, d.when())
	}
	fmt.Fprintf(out, "ready  in %v\n", time.Since(began).Round(time.Millisecond))

	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "stopping")
	case err = <-s.Failed():
	}
	late, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	stopped := s.Shutdown(late)
	if errors.Is(stopped, context.DeadlineExceeded) {
		fmt.Fprintf(out, "cut the connections that did not end within %v\n", goodbye)
		stopped = nil // they were warned, and nothing that was acknowledged is lost
	}
	if err == nil {
		err = stopped
	}
	if err == nil {
		fmt.Fprintln(out, "stopped")
	}
	return err
}
