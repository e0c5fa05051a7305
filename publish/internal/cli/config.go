package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/routelens/routelens/plugin/config"
)

func (a *app) config() *cobra.Command {
	command := &cobra.Command{
		Use:   "config",
		Short: "Check the plugin's configuration",
		Long:  "Checks configurations of the Routelens plugin, with the parser that is in the plugin itself.",
		Args:  cobra.NoArgs, // else a misspelt command shows the help and succeeds
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	command.AddCommand(a.configCheck(), a.configSchema())
	return command
}

func (a *app) configCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Name every fault of a configuration file",
		Long: `Reads a configuration of the Routelens plugin, JSON, and names every fault in it: what Envoy would
refuse is found before it is deployed. The exit code is 1 if there is any. FILE may be - for
standard input.`,
		Example: `  publish config check routelens.json
  kubectl get wasmplugin routelens -o json | jq .spec.pluginConfig | publish config check -`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := a.readInput(args[0])
			if err != nil {
				return err
			}
			if _, err = config.Parse(data); err != nil {
				return faults(args[0], err)
			}
			a.say("%s: no fault found", args[0])
			return nil
		},
	}
}

// faults says what is wrong with a configuration file, all of it.
func faults(file string, err error) error {
	var problems config.Problems
	if errors.As(err, &problems) {
		return fmt.Errorf("%s: %s:\n%s", file, counted(len(problems), "fault"), indent(problems.Error(), "  "))
	}
	return fmt.Errorf("%s: %w", file, err)
}

func (a *app) readInput(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(a.in)
	}
	return os.ReadFile(file)
}

func (a *app) configSchema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of the configuration",
		Long:    "Prints the JSON Schema of the plugin's configuration, for editors and for admission checks.",
		Example: "  publish config schema > routelens.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.encode(config.Schema())
		},
	}
}
