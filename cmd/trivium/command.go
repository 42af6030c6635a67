package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// command is the root: without a subcommand it serves.
func command() *cobra.Command {
	root := serveCommand()
	root.Use = "trivium"
	root.Short = "A message broker that speaks AMQP 0-9-1, Kafka and NATS"
	root.Long = root.Short + `.

Without a command it serves, as "trivium serve" does. Clients of all three
protocols share one durable store in the directory given by --data.`
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(serveCommand(), ctlCommand(), versionCommand())
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), version())
			return err
		},
	}
}
