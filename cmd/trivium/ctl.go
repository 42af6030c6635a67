package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// ctlTimeout bounds one request to the server.
const ctlTimeout = 30 * time.Second

// ctl asks a running server through its admin listener.
type ctl struct {
	server, user, password string
}

func ctlCommand() *cobra.Command {
	var c ctl
	cmd := &cobra.Command{
		Use:   "ctl",
		Short: "Administer a running server",
		Long: `Administer a running server, through its admin listener.

Without --user it acts as guest, who may log in from the server's own machine
only. The password can also come from the variable TRIVIUM_PASSWORD.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f := cmd.PersistentFlags()
	f.SortFlags = false
	f.StringVar(&c.server, "server", defaultAdmin, "`host:port` of the server's admin listener")
	f.StringVar(&c.user, "user", "guest", "`name` of the user to act as")
	f.StringVar(&c.password, "password", "", "the user's `password` (default: $TRIVIUM_PASSWORD, or guest's)")
	cmd.AddCommand(exposeCommand(&c), userCommand(&c))
	return cmd
}

// exactly says how the command is meant if it does not have n arguments.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return fmt.Errorf("usage: %s (%s --help says more)", cmd.UseLine(), cmd.CommandPath())
	}
}

// ask sends in, if it is not nil, and decodes the answer into out, if that is not nil.
func (c *ctl) ask(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, ctlTimeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+c.server+path, body)
	if err != nil {
		return fmt.Errorf("--server %q is no host:port: %w", c.server, err)
	}
	password := c.password
	if password == "" {
		password = os.Getenv("TRIVIUM_PASSWORD")
	}
	if password == "" && c.user == "guest" {
		password = "guest"
	}
	r.SetBasicAuth(c.user, password)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("nobody answers on the admin listener %s: is the server running, or does its admin listener have another address (--server host:port)? (%w)", c.server, errors.Unwrap(err))
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		var refused struct{ Error string }
		if json.Unmarshal(data, &refused) != nil || refused.Error == "" {
			return fmt.Errorf("%s is no Trivium that knows this command: it says %s", c.server, resp.Status)
		}
		return errors.New(refused.Error)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(data, out)
}

// place is a stream by the name that it has in a door, written door/name.
type place struct {
	Door string `json:"door"`
	Name string `json:"name"`
}

func (p place) String() string { return p.Door + "/" + p.Name }

func (p place) path() string {
	return "/v1/exposed/" + url.PathEscape(p.Door) + "/" + url.PathEscape(p.Name)
}

func parsePlace(s string) (place, error) {
	door, name, ok := strings.Cut(s, "/")
	if !ok || name == "" || door != "amqp" && door != "kafka" && door != "nats" {
		return place{}, fmt.Errorf("%q is not amqp/NAME, kafka/NAME or nats/NAME", s)
	}
	return place{door, name}, nil
}

func exposeCommand(c *ctl) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "expose amqp|kafka|nats/NAME amqp|kafka|nats/NEW-NAME",
		Short: "Show a topic or stream to clients of another protocol under a name of your choice",
		Long: `Show a stream queue (amqp/NAME), a topic (kafka/NAME) or a JetStream stream
(nats/NAME) to clients of another protocol under a name of your choice.

They can read and write it without this too, under a reserved name: topic T is
the AMQP stream queue amq.kafka.T, stream S is the Kafka topic nats.S, and so
on. The new name comes on top of that one. It is kept over restarts until it is
removed or the stream is deleted; a name that is in use is refused.

A topic of several partitions is shown to AMQP as the exchange NEW-NAME with
the stream queues NEW-NAME-0, NEW-NAME-1 and so on, to NATS as the streams of
these names. The subjects of a stream that NATS sees stay $KAFKA.T.KEY or
$AMQP.queue.Q.KEY.`,
		Example: `  trivium ctl expose nats/ORDERS kafka/orders   # kcat -C -t orders
  trivium ctl expose kafka/clicks amqp/clicks
  trivium ctl expose list
  trivium ctl expose remove kafka/orders`,
		Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			of, err := parsePlace(args[0])
			if err != nil {
				return err
			}
			as, err := parsePlace(args[1])
			if err != nil {
				return err
			}
			if err := c.ask(cmd.Context(), http.MethodPut, as.path(), of, nil); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is shown as %s\n", of, as)
			return err
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use: "list", Short: "List the names that were given", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all []struct {
				place
				Of place `json:"of"`
			}
			if err := c.ask(cmd.Context(), http.MethodGet, "/v1/exposed", nil, &all); err != nil {
				return err
			}
			for _, x := range all {
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is shown as %s\n", x.Of, x.place); err != nil {
					return err
				}
			}
			return nil
		},
	}, &cobra.Command{
		Use: "remove amqp|kafka|nats/NEW-NAME", Short: "Take a name away; the stream itself stays", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			as, err := parsePlace(args[0])
			if err != nil {
				return err
			}
			return c.ask(cmd.Context(), http.MethodDelete, as.path(), nil, nil)
		},
	})
	return cmd
}
