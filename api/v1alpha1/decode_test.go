package v1alpha1_test

import (
	"encoding/json"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// FuzzAcceptedDecodes: what the API server accepts, Go decodes, and its durations
// and times parse. One stored object that does not decode would stop the informer
// for every other object. go test runs the seeds; to look for more (the requests'
// own goroutines make coverage vary, so minimizing would take for ever):
//
//	KUBEBUILDER_ASSETS=$(hack/assets.sh) go test -run '^$' -fuzz FuzzAcceptedDecodes \
//	  -fuzzminimizetime 1x -parallel 1 ./api/v1alpha1
func FuzzAcceptedDecodes(f *testing.F) {
	for _, spec := range corpus() {
		f.Add(spec)
	}
	server := rawClient(f)
	f.Fuzz(func(t *testing.T, spec string) {
		stored, err := dryRunCreate(t, server, spec)
		if err != nil {
			if !refusal(err) {
				t.Fatalf("%s: the API server failed: %v", spec, err)
			}
			return
		}
		checkDecodes(t, stored)
	})
}

// corpus holds specs in JSON that are near the edge of what the schema accepts.
func corpus() []string {
	var specs []string
	for _, v := range []string{
		`1 day`, `99999999999h`, `999999999h`, `99999h`, `1h1h1h1h`, `0.000000001s`, `1.999999999s`, `2592000s`, `720h`, `720h0.001s`,
		`1ms`, `1000ms`, `1us`, `1µs`, `1e3s`, `+1s`, `-1s`, `.5h`, `1.h`, `1H`, `1s `, ` 1s`, `1s\n`, `1s\u0000`, `١s`, `１s`, `P1D`, `0`, `infinity`, ``,
	} {
		specs = append(specs, `{"region":"ap-guangzhou","redis":{"taskID":1},"timeout":"`+v+`","notFoundGracePeriod":"`+v+`"}`)
	}
	for _, v := range []string{
		`2026-11-21T10:00:00Z`, `2026-11-21t10:00:00z`, `2026-11-21T10:00:00z`, `2026-11-21t10:00:00+08:00`, `2026-11-21T10:00:00.123456789Z`,
		`2026-11-21T10:00:00,5Z`, `2026-11-21T10:00:00.1234567890123Z`, `2026-11-21T10:00:00+0800`, `2026-11-21T10:00:00+08`, `2026-11-21 10:00:00Z`,
		`2026-11-21T10:00Z`, `2026-11-21T24:00:00Z`, `2026-11-21T23:59:60Z`, `2026-11-21T10:00:00-00:00`, `2026-11-21T10:00:00+23:59`, `2026-11-21T10:00:00+24:00`,
		`2026-11-21T10:00:00+99:99`, `2026-02-30T10:00:00Z`, `9999-12-31T23:59:59Z`, `9999-12-31T23:59:59-12:00`, `10000-01-01T00:00:00Z`, `0000-01-01T00:00:00Z`,
		`1999-12-31T23:59:59Z`, `2000-01-01T00:00:00Z`, `2000-01-01T00:00:00+00:01`, `2026-11-21T1:00:00Z`, `2026-11-21`, `yesterday`, ``, `2026-11-21T10:00:00Z\n`,
		`2026-11-21T10:00:00.Z`, `2026-11-21T10:00:00.000+0800`, `2026-11-21T10:00:00`, `2026-11-21T10:00:00.000`,
	} {
		specs = append(specs, `{"region":"ap-guangzhou","redis":{"latest":{"instanceID":"crs-1","startedAfter":"`+v+`"}}}`)
	}
	for _, v := range []string{
		`0`, `1`, `-1`, `1.0`, `1.5`, `1e0`, `1e3`, `1E3`, `1e18`, `1e19`, `1e30`, `1e400`, `9007199254740991`, `9007199254740992`, `9007199254740993`, `2147483647`, `2147483648`,
		`9223372036854775807`, `9223372036854775808`, `18446744073709551616`, `-9223372036854775809`, `100000000000000000000000`, `2147483647.0`, `1.0000000000000001`, `"1"`, `true`, `null`, `[]`, `{}`,
	} {
		specs = append(specs,
			`{"region":"ap-guangzhou","redis":{"taskID":`+v+`}}`,
			`{"region":"ap-guangzhou","redis":{"taskID":1},"ttlSecondsAfterFinished":`+v+`}`)
	}
	for _, v := range []string{`\u0000`, `\u001b[31m`, `\u202e`, `\ud800`, `a\nb`, `a\tb`, ` a`, `é`, `a\u007f`, `\ufeff`} {
		specs = append(specs,
			`{"region":"`+v+`","redis":{"taskID":1}}`,
			`{"region":"ap-guangzhou`+v+`","redis":{"taskID":1}}`,
			`{"region":"ap-guangzhou","clb":{"requestID":"`+v+`"}}`,
			`{"region":"ap-guangzhou","clb":{"dealName":"`+v+`"}}`,
			`{"region":"ap-guangzhou","redis":{"taskID":1,"api":"`+v+`"}}`,
			`{"region":"ap-guangzhou","redis":{"latest":{"instanceID":"`+v+`"}}}`,
			`{"region":"ap-guangzhou","redis":{"latest":{"instanceID":"crs-1","taskTypes":["`+v+`"]}}}`,
			`{"region":"ap-guangzhou","redis":{"taskID":1},"credentials":{"secretName":"`+v+`"}}`)
	}
	return append(specs,
		`{"region":"ap-guangzhou","redis":{"taskID":1},"suspend":null,"timeout":null,"notFoundGracePeriod":null,"credentials":null}`,
		`{"region":"ap-guangzhou","redis":{"latest":{"instanceID":"crs-1","taskTypes":null,"startedAfter":null}}}`,
		`{"region":"ap-guangzhou","redis":{"latest":{"instanceID":"crs-1","taskTypes":[null]}}}`,
		`{"region":"ap-guangzhou","redis":{"taskID":1},"suspend":1}`,
		`{"region":"ap-guangzhou","redis":{"taskID":1,"taskID":"x"}}`,
		`{"region":"ap-guangzhou","Region":3,"REDIS":"x","redis":{"taskID":1,"TASKID":"x"}}`,
		`{"region":"ap-guangzhou","redis":[],"clb":""}`,
		`null`, `[]`, `""`, `{`)
}

// dryRunCreate sends a spec byte for byte and returns the object as it would be
// stored.
func dryRunCreate(t *testing.T, server rest.Interface, spec string) ([]byte, error) {
	t.Helper()
	body := `{"apiVersion":"tencent.cloudtask.dev/v1alpha1","kind":"CloudTask","metadata":{"generateName":"task-"},"spec":` + spec + `}`
	return server.Post().Resource("cloudtasks").Namespace("default").
		SetHeader("Content-Type", "application/json").Param("dryRun", "All").
		Body([]byte(body)).Do(t.Context()).Raw()
}

func refusal(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)
}

// checkDecodes decodes an object as the informers of controller-runtime do.
func checkDecodes(t *testing.T, stored []byte) {
	t.Helper()
	if !json.Valid(stored) {
		t.Fatalf("not JSON: %q", stored)
	}
	var task v1alpha1.CloudTask
	if err := runtime.DecodeInto(scheme.Codecs.UniversalDeserializer(), stored, &task); err != nil {
		t.Fatalf("accepted, but Go does not decode it: %s: %v", stored, err)
	}
	for _, d := range []*v1alpha1.Duration{task.Spec.Timeout, task.Spec.NotFoundGracePeriod} {
		if d == nil {
			continue
		}
		if _, err := d.Parse(); err != nil {
			t.Errorf("accepted, but it does not parse: %v", err)
		}
	}
	if redis := task.Spec.Redis; redis != nil && redis.Latest != nil && redis.Latest.StartedAfter != nil {
		if _, err := redis.Latest.StartedAfter.Parse(); err != nil {
			t.Errorf("accepted, but it does not parse: %v", err)
		}
	}
}

func rawClient(tb testing.TB) rest.Interface {
	tb.Helper()
	httpClient, err := rest.HTTPClientFor(env.Config)
	if err != nil {
		tb.Fatal(err)
	}
	gvk := v1alpha1.GroupVersion.WithKind("CloudTask")
	server, err := apiutil.RESTClientForGVK(gvk, false, false, env.Config, scheme.Codecs, httpClient)
	if err != nil {
		tb.Fatal(err)
	}
	return server
}
