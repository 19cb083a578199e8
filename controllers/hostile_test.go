package controllers_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
	"cloudtask.dev/cloudtask/internal/testenv"
)

// TestHostileAnswers: each of them is the fault of its task alone.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	var strayed atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed.Add(1) }))
	t.Cleanup(elsewhere.Close)
	faults := map[string]fakecloud.Fault{
		"endless":   {Kind: fakecloud.Endless},
		"gzip-bomb": {Kind: fakecloud.GzipBomb},
		"message":   {Kind: fakecloud.Message, Size: 10 << 20},
		"redirect":  {Kind: fakecloud.Redirect, URL: elsewhere.URL},
		"moved":     {Kind: fakecloud.Redirect, URL: elsewhere.URL, HTTPStatus: http.StatusPermanentRedirect},
		"null":      {Kind: fakecloud.Raw, Body: `null`},
		"nested":    {Kind: fakecloud.Raw, Body: strings.Repeat(`{"Response":`, 20_000) + "1" + strings.Repeat("}", 20_000)},
		"array":     {Kind: fakecloud.Raw, Body: `{"Response":[{"Status":"succeed"}]}`},
		"nil-error": {Kind: fakecloud.Raw, Body: `{"Response":{"Error":null,"Status":null,"InstanceId":null}}`},
		"code":      {Kind: fakecloud.Error, Code: strings.Repeat("X", 20_000), Message: strings.Repeat(fakecloud.NastyText, 500)},
		"word":      {Kind: fakecloud.Status, Status: []byte(`"` + strings.Repeat("succeed ", 5000) + `"`)},
	}
	w := newWorld(t)
	w.secret("tencent-credentials", mainKey)
	w.operate()
	ids := map[string]int64{}
	for name, fault := range faults {
		ids[name] = int64(len(ids) + 1)
		id := strconv.FormatInt(ids[name], 10)
		fault.TaskID = id
		w.cloud.Inject(fault)
		// By API 2.0 and CLB, since the list would tell of Redis tasks.
		w.cloud.Add(fakecloud.Task{ID: id, Service: "clb"}, fakecloud.Task{ID: id})
		w.task("clb-"+name, clbSpec(v1alpha1.CLBTask{RequestID: &id}))
		w.task("redis2-"+name, redisSpec(ids[name], "2.0"))
	}
	w.cloud.Add(fakecloud.Task{ID: "100", Service: "clb"}, fakecloud.Task{ID: "100"})
	w.task("clb-well", clbSpec(v1alpha1.CLBTask{RequestID: new("100")}))
	w.task("redis2-well", redisSpec(100, "2.0"))
	w.untilFinished("clb-well")
	w.untilFinished("redis2-well")
	for name := range faults {
		for _, api := range []string{"clb-", "redis2-"} {
			if name == "message" {
				continue // API 2.0 tells none; that of CLB is too long to be read
			}
			w.until(api+name, "told of", func(task v1alpha1.CloudTask) bool { return task.Status.LastPollError != nil })
		}
	}
	w.cloud.ClearFaults()
	for name := range faults {
		for _, api := range []string{"clb-", "redis2-"} {
			if task := w.untilFinished(api + name); task.Status.Phase != v1alpha1.PhaseSucceeded {
				t.Errorf("%s%s: %v", api, name, w.story(api+name))
			}
		}
	}
	if n := strayed.Load(); n > 0 {
		t.Errorf("%d requests reached another host", n)
	}
}

// TestLongMessage: what a message of 20,000 characters leaves fits the schema.
func TestLongMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.secret("tencent-credentials", mainKey)
	w.operate()
	w.cloud.Add(fakecloud.Task{ID: "1", Fails: true})
	w.cloud.Inject(fakecloud.Fault{Kind: fakecloud.Message, Size: 20_000})
	w.redis("task", 1)
	task := w.untilFinished("task")
	if n := len([]rune(task.Status.Error.Message)); n < 1000 || n > 1024 || strings.ContainsAny(task.Status.Message, "\x1b\u202e\n") {
		t.Errorf("%d characters: %s", n, task.Status.Message)
	}
	w.checkEvents("task", "Warning TaskFailed")
}

// TestObjectsOfAnOlderSchema: what a laxer CRD let in is the fault of that
// object alone.
func TestObjectsOfAnOlderSchema(t *testing.T) {
	t.Parallel()
	own, err := testenv.Start(t.Context())
	check(t, err)
	t.Cleanup(func() { check(t, own.Stop()) })
	relax(t, own)
	w := newWorldIn(t, own)
	w.secret("tencent-credentials", mainKey)
	bad := map[string]string{
		"timeout":   `{"region":"ap-guangzhou","redis":{"taskID":1},"timeout":"1 day"}`,
		"grace":     `{"region":"ap-guangzhou","redis":{"taskID":1},"notFoundGracePeriod":"99999999999h"}`,
		"after":     `{"region":"ap-guangzhou","redis":{"latest":{"instanceID":"crs-1","startedAfter":"yesterday"}}}`,
		"region":    `{"region":"example.com/x-fsi","redis":{"taskID":1}}`,
		"zero":      `{"region":"ap-guangzhou","redis":{"taskID":0}}`,
		"no-task":   `{"region":"ap-guangzhou","redis":{}}`,
		"nothing":   `{}`,
		"two":       `{"region":"ap-guangzhou","redis":{"taskID":1},"clb":{"requestID":"1"}}`,
		"long":      `{"region":"ap-guangzhou","clb":{"requestID":"` + strings.Repeat("x", 10_000) + `"}}`,
		"control":   `{"region":"ap-guangzhou","clb":{"requestID":"a\u0000\u202eb"}}`,
		"suspended": `{"region":"ap-guangzhou","clb":{"requestID":"a\u0000\u202eb"},"suspend":true,"timeout":"soon"}`,
	}
	for name, spec := range bad {
		w.raw(name, spec)
	}
	w.cloud.Add(fakecloud.Task{ID: "1"})
	w.operate()
	w.redis("good", 1)
	w.untilFinished("good")
	for name := range bad {
		want := "InvalidRequest"
		if name == "suspended" {
			want = "Suspended"
		}
		w.untilReason(name, want)
	}
	if n := w.cloud.Stats().Tasks["1"]; n > 3 {
		t.Errorf("asked %d times", n)
	}
	if n := w.calls("main"); n > 6 {
		t.Errorf("the cloud was asked %d times", n)
	}
}

// relax takes the rules out of the CRD's spec, but for the types.
func relax(t *testing.T, env *testenv.Env) {
	t.Helper()
	scheme := runtime.NewScheme()
	check(t, apiextensionsv1.AddToScheme(scheme))
	c, err := client.New(env.Config, client.Options{Scheme: scheme})
	check(t, err)
	var crd apiextensionsv1.CustomResourceDefinition
	check(t, c.Get(t.Context(), client.ObjectKey{Name: "cloudtasks." + v1alpha1.GroupVersion.Group}, &crd))
	schema := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	spec := schema.Properties["spec"]
	lax(&spec)
	schema.Properties["spec"] = spec
	check(t, c.Update(t.Context(), &crd))
	w := &world{T: t}
	w.eventually("the lax schema is served", func() bool {
		return c.Create(t.Context(), rawTask("default", "probe", map[string]any{"timeout": "soon"}), client.DryRunAll) == nil
	})
}

func lax(s *apiextensionsv1.JSONSchemaProps) {
	s.XValidations, s.Required, s.Enum, s.Pattern, s.Format = nil, nil, nil, "", ""
	s.MaxLength, s.MinLength, s.Minimum, s.Maximum, s.MaxItems = nil, nil, nil, nil, nil
	for name, p := range s.Properties {
		lax(&p)
		s.Properties[name] = p
	}
	if s.Items != nil {
		lax(s.Items.Schema)
	}
}

// raw creates an object whose spec is JSON.
func (w *world) raw(name, spec string) {
	w.Helper()
	var content map[string]any
	check(w.T, json.Unmarshal([]byte(spec), &content))
	check(w.T, w.Create(w.Context(), rawTask(w.namespace, name, content)))
}

func rawTask(namespace, name string, spec map[string]any) *unstructured.Unstructured {
	task := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	task.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("CloudTask"))
	task.SetNamespace(namespace)
	task.SetName(name)
	return task
}
