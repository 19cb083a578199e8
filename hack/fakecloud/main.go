// Command fakecloud runs a Tencent Cloud on loopback, to try the operator
// without an account: go run ./hack/fakecloud
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/template"
	"time"

	"sigs.k8s.io/yaml"

	"cloudtask.dev/cloudtask/internal/fakecloud"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakecloud:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	sample := fakecloud.SampleAccount()
	flags := flag.NewFlagSet("fakecloud", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:8080", "loopback address to listen on")
	secretID := flags.String("secret-id", sample.Keys[0].SecretID, "SecretId of the account")
	secretKey := flags.String("secret-key", sample.Keys[0].SecretKey, "SecretKey of the account; never give a real one")
	file := flags.String("tasks", "", "YAML or JSON file with a list of tasks instead of the sample ones")
	latency := flags.Duration("latency", 0, "round trip of every call")
	if err := flags.Parse(args); err != nil {
		return err
	}

	sample.Keys = []fakecloud.Key{{SecretID: *secretID, SecretKey: *secretKey}}
	cloud := fakecloud.New(fakecloud.Options{
		Accounts: []fakecloud.Account{sample},
		Latency:  func(string) time.Duration { return *latency },
		Admin:    true,
	})
	defer cloud.Close()
	tasks, err := load(*file)
	if err != nil {
		return err
	}
	for _, task := range tasks {
		if err := cloud.Check(task); err != nil {
			return err
		}
	}
	url, err := cloud.Listen(*listen)
	if err != nil {
		return err
	}
	cloud.Add(tasks...)
	if err := greet(out, url, sample.Keys[0], tasks); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func load(file string) ([]fakecloud.Task, error) {
	if file == "" {
		return sampleTasks(), nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read tasks: %w", err)
	}
	var tasks []fakecloud.Task
	if err := yaml.UnmarshalStrict(data, &tasks); err != nil {
		return nil, fmt.Errorf("read tasks from %s: %w", file, err)
	}
	return tasks, nil
}

func sampleTasks() []fakecloud.Task {
	return []fakecloud.Task{
		{ID: "18215", Service: "redis", InstanceID: "crs-09u2u96z", Prepare: 5 * time.Second, Duration: time.Minute},
		{ID: "18216", Service: "redis", InstanceID: "crs-09u2u96z", Duration: 45 * time.Second, Fails: true, Message: "the instance is locked by another task"},
		{ID: "18217", Service: "redis", InstanceID: "crs-opcazbrb", Duration: -1},
		{ID: "55c85074-3e7f-4c6d-864f-673660d4f8de", Service: "clb", InstanceID: "lb-1a2b3c4d", Duration: time.Minute},
		{ID: "917384bc-5b8d-4b68-a0bc-a58f815e8e3b", Service: "clb", InstanceID: "lb-1a2b3c4d", Duration: 30 * time.Second, Fails: true, Message: "the certificate has expired"},
	}
}

// describe says in words what becomes of a task.
func describe(task fakecloud.Task) string {
	end := fmt.Sprintf("succeeds after %v", task.Duration)
	switch {
	case task.Duration < 0:
		end = "runs until it is finished by hand"
	case task.Fails || task.Error:
		end = fmt.Sprintf("fails after %v", task.Duration)
	}
	return fmt.Sprintf("%-5s %s in %s %s", cmp.Or(task.Service, "redis"), task.ID, cmp.Or(task.Region, "ap-guangzhou"), end)
}

const greeting = `A Tencent Cloud for trying things out listens at {{.URL}}

  SecretId   {{.Key.SecretID}}
  SecretKey  {{.Key.SecretKey}}

Its tasks, counted from now unless they have a start of their own:
{{range .Tasks}}
  {{describe .}}{{end}}

Point the operator at it:
  cloudtask manager --cloud-endpoint {{.URL}}
  kubectl create secret generic tencent-credentials --from-literal=secretId={{.Key.SecretID}} --from-literal=secretKey={{.Key.SecretKey}}

Look at it, add a task, end one:
  curl {{.URL}}/_fake/stats
  curl {{.URL}}/_fake/tasks -d '[{"service":"redis","id":"18300","duration":"2m"}]'
  curl {{.URL}}/_fake/finish -d '{"service":"redis","id":"18300","ok":true}'

Ask as a client would, signed (API 2.0):
  T=$(date +%s); Q="Action=DescribeTaskInfo&Nonce=$T&Region=ap-guangzhou&SecretId={{.Key.SecretID}}&Timestamp=$T&requestId=18215"
  S=$(printf %s "GET{{.Host}}/v2/index.php?$Q" | openssl dgst -sha1 -hmac '{{.Key.SecretKey}}' -binary | base64)
  curl -G --data-urlencode "Signature=$S" "{{.URL}}/v2/index.php?$Q"

Ctrl-C ends it.
`

func greet(out io.Writer, url string, key fakecloud.Key, tasks []fakecloud.Task) error {
	text := template.Must(template.New("greeting").Funcs(template.FuncMap{"describe": describe}).Parse(greeting))
	return text.Execute(out, map[string]any{"URL": url, "Host": strings.TrimPrefix(url, "http://"), "Key": key, "Tasks": tasks})
}
