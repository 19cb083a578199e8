// Package wait is the command "wait": it follows CloudTasks until all have
// succeeded, one has failed, or something keeps it from learning either.
package wait

import (
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

type options struct {
	kubeconfig, context, namespace string
	until                          string // forSucceeded, also if empty, or forAnswered
	timeout, stalledAfter          time.Duration
}

// What may be waited for.
const (
	forSucceeded = "succeeded"
	forAnswered  = "answered"
)

// NewCommand returns the command "wait". Its errors say what to do about them
// in further lines, and are for cobra to print; ExitCode gives their status.
func NewCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "wait NAME...",
		Short: "Wait until CloudTasks have succeeded",
		Long: `Wait until all the CloudTasks named have succeeded; the first failure ends the
wait. NAME may also be written ct/NAME or cloudtask/NAME.

With --for=answered, wait only until the operator has looked at each of them and
has written a status for its present spec, whatever that says: to see that the
operator works.

Exit status:
  0  all succeeded, or were answered
  1  a task failed
  2  the timeout ran out first
  3  anything else: wrong usage, no answer from the API server, an object that
     is absent or was deleted, a task stalled for longer than --stalled-after

Needs the verbs list and watch on cloudtasks; a Role may name the objects
(resourceNames).`,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			names, err := o.validate(args)
			if err != nil {
				return usageError(cmd, err)
			}
			return o.run(cmd, names)
		},
	}
	cmd.SetFlagErrorFunc(usageError)
	f := cmd.Flags()
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "path of the kubeconfig; default: KUBECONFIG, ~/.kube/config, or in a pod its service account")
	f.StringVar(&o.context, "context", "", "context of the kubeconfig; default: the current one")
	f.StringVarP(&o.namespace, "namespace", "n", "", "namespace of the CloudTasks; default: the context's, or in a pod its own")
	f.StringVar(&o.until, "for", forSucceeded, "what to wait for: succeeded, or answered, that is, looked at by the operator")
	f.DurationVar(&o.timeout, "timeout", 30*time.Minute, "how long to wait for all of them together; 0 looks once")
	f.DurationVar(&o.stalledAfter, "stalled-after", time.Minute, "how long a task may be stalled, that is, need a person to act; 0 gives up at once")
	return cmd
}

func usageError(cmd *cobra.Command, err error) error {
	return newError(codeOther, err.Error(), fmt.Sprintf("See %s --help.", cmd.CommandPath()))
}

// validate returns the names of the objects, each once, in the order given.
func (o options) validate(args []string) ([]string, error) {
	if len(args) == 0 {
		return nil, errors.New("name the CloudTasks to wait for, for example ct/flush-cache-18215")
	}
	if o.until != "" && o.until != forSucceeded && o.until != forAnswered {
		return nil, fmt.Errorf("--for %q is not known: write %s or %s", o.until, forSucceeded, forAnswered)
	}
	if o.timeout < 0 {
		return nil, fmt.Errorf("--timeout %s is negative: write a duration such as 30m, or 0 to look once", o.timeout)
	}
	if o.stalledAfter < 0 {
		return nil, fmt.Errorf("--stalled-after %s is negative: write a duration such as 1m, or 0 to give up at once", o.stalledAfter)
	}
	if o.namespace != "" && len(utilvalidation.IsDNS1123Label(o.namespace)) > 0 {
		return nil, fmt.Errorf("--namespace %q is not the name of a namespace", o.namespace)
	}
	var names []string
	for _, arg := range args {
		name, err := objectName(arg)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// objectName reads the forms in which kubectl writes an object, too.
func objectName(arg string) (string, error) {
	kind, name, both := strings.Cut(arg, "/")
	if !both {
		kind, name = "ct", arg
	}
	group := v1alpha1.GroupVersion.Group
	version := v1alpha1.GroupVersion.Version
	switch strings.ToLower(kind) {
	case "ct", "cloudtask", "cloudtasks", "cloudtask." + group, "cloudtasks." + group,
		"cloudtask." + version + "." + group, "cloudtasks." + version + "." + group:
	default:
		return "", fmt.Errorf("%q is not a CloudTask: write NAME, ct/NAME or cloudtask/NAME", arg)
	}
	if len(validation.NameIsDNSSubdomain(name, false)) > 0 {
		return "", fmt.Errorf("%q is not the name of an object: small letters, digits, - and ., for example flush-cache-18215", arg)
	}
	return name, nil
}

func (o options) run(cmd *cobra.Command, names []string) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	c, err := connect(o)
	if err != nil {
		return err
	}
	d := newDisplay(cmd.OutOrStdout(), names)
	defer d.close()
	w := &waiter{cluster: c, options: o, names: names, display: d}
	return w.wait(ctx)
}
