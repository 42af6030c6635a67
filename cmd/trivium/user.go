package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func userPath(name string) string { return "/v1/users/" + url.PathEscape(name) }

func userCommand(c *ctl) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add, change and remove the users that clients log in as",
		Long: `Add, change and remove the users that clients log in as, and that ctl acts as.

One user logs in through all doors: AMQP with PLAIN, NATS with user and
password, ctl with --user. A change holds for the next login and is kept over
restarts; connections that are open stay, but those of a deleted user are closed.

A new server has the user guest, password guest, an administrator who may log in
from the server's own machine only. Add an administrator of your own, then
delete guest.`,
		Example: `  trivium ctl user add ann                      # asks for the password
  echo "$SECRET" | trivium ctl user add shop-app --namespace shop
  trivium ctl user passwd ann
  trivium ctl user list
  trivium ctl user delete ann`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var in struct {
		Password  string `json:"password"`
		Namespace string `json:"namespace"`
		Admin     bool   `json:"admin"`
	}
	add := &cobra.Command{
		Use: "add NAME", Short: "Add a user; the password is asked for, or read from standard input", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if in.Password, err = readPassword(cmd, args[0]); err != nil {
				return err
			}
			return c.ask(cmd.Context(), http.MethodPut, userPath(args[0]), in, nil)
		},
	}
	add.Flags().StringVar(&in.Namespace, "namespace", "", "the user's `namespace`: AMQP's vhost and NATS's account of that name, made if it does not exist (default: AMQP's /, NATS's $G)")
	add.Flags().BoolVar(&in.Admin, "admin", false, "the user may manage users")
	cmd.AddCommand(add, &cobra.Command{
		Use: "passwd NAME", Short: "Change a password; the new one is asked for, or read from standard input", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := readPassword(cmd, args[0])
			if err != nil {
				return err
			}
			return c.ask(cmd.Context(), http.MethodPut, userPath(args[0])+"/password", map[string]string{"password": password}, nil)
		},
	}, &cobra.Command{
		Use: "delete NAME", Short: "Remove a user", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.ask(cmd.Context(), http.MethodDelete, userPath(args[0]), nil, nil)
		},
	}, &cobra.Command{
		Use: "list", Short: "List the users: name, namespace, and what is special about them", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all []struct {
				Name, Namespace string
				Admin, Local    bool
			}
			if err := c.ask(cmd.Context(), http.MethodGet, "/v1/users", nil, &all); err != nil {
				return err
			}
			for _, u := range all {
				line := u.Name + " " + u.Namespace
				if u.Admin {
					line += " administrator"
				}
				if u.Local {
					line += " from-this-machine-only"
				}
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), line); err != nil {
					return err
				}
			}
			return nil
		},
	})
	return cmd
}

// readPassword asks a person, unseen and twice, or reads one line of standard input.
func readPassword(cmd *cobra.Command, name string) (string, error) {
	if f, ok := cmd.InOrStdin().(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		ask := func(prompt string) (string, error) {
			fmt.Fprint(cmd.ErrOrStderr(), prompt)
			b, err := term.ReadPassword(int(f.Fd()))
			fmt.Fprintln(cmd.ErrOrStderr())
			return string(b), err
		}
		first, err := ask("Password for " + name + ": ")
		if err != nil {
			return "", err
		}
		again, err := ask("Again: ")
		if err == nil && again != first {
			err = errors.New("these are two different passwords")
		}
		return first, err
	}
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errors.New("no password on standard input")
	}
	return line, nil
}
