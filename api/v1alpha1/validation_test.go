package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const requestID = "55c85074-3e7f-4c6d-864f-673660d4f8de"

func TestSpecIsAccepted(t *testing.T) {
	cases := map[string]string{
		"Redis task":             `{region: ap-guangzhou, redis: {taskID: 18215}}`,
		"Redis task 1":           `{region: ap-guangzhou, redis: {taskID: 1}}`,
		"largest task ID":        `{region: ap-guangzhou, redis: {taskID: 9007199254740991}}`,
		"API 3.0":                `{region: ap-guangzhou, redis: {taskID: 18215, api: "3.0"}}`,
		"API 2.0":                `{region: ap-guangzhou, redis: {taskID: 18215, api: "2.0"}}`,
		"latest":                 `{region: ap-guangzhou, redis: {latest: {instanceID: crs-09u2u96z}}}`,
		"latest with everything": `{region: ap-guangzhou, redis: {latest: {instanceID: crs-09u2u96z, taskTypes: ["004", FLOW_UPGRADE], startedAfter: "2026-11-21T10:00:00Z"}}}`,
		"latest with 20 types":   `{region: ap-guangzhou, redis: {latest: {instanceID: crs-1, taskTypes: [` + strings.Repeat(`"004",`, 20) + `]}}}`,
		"time with an offset":    `{region: ap-guangzhou, redis: {latest: {instanceID: crs-1, startedAfter: "2026-11-21T18:00:00.5+08:00"}}}`,
		"CLB request":            `{region: ap-guangzhou, clb: {requestID: ` + requestID + `}}`,
		"CLB order":              `{region: ap-guangzhou, clb: {dealName: "20260101430001234567890"}}`,
		"longest request ID":     `{region: ap-guangzhou, clb: {requestID: ` + strings.Repeat("a", 128) + `}}`,
		"finance region":         `{region: ap-shanghai-fsi, redis: {taskID: 1}}`,
		"longest region name":    `{region: ap-` + strings.Repeat("a", 37) + `, redis: {taskID: 1}}`,
		"Secret":                 `{region: ap-guangzhou, redis: {taskID: 1}, credentials: {secretName: tencent-credentials}}`,
		"durations":              `{region: ap-guangzhou, redis: {taskID: 1}, timeout: 1h30m, notFoundGracePeriod: 1.5s}`,
		"shortest and longest":   `{region: ap-guangzhou, redis: {taskID: 1}, timeout: 720h, notFoundGracePeriod: 1000ms}`,
		"ttl and suspend":        `{region: ap-guangzhou, redis: {taskID: 1}, ttlSecondsAfterFinished: 0, suspend: true}`,
		"longest ttl":            `{region: ap-guangzhou, redis: {taskID: 1}, ttlSecondsAfterFinished: 2147483647}`,
		"null for not given":     `{region: ap-guangzhou, redis: {taskID: 1, latest: null}, clb: null, timeout: null}`,
	}
	for name, spec := range cases {
		t.Run(name, func(t *testing.T) {
			err := admin.Create(t.Context(), newTask(t, spec), client.DryRunAll, client.FieldValidation("Strict"))
			if err != nil {
				t.Errorf("refused: %s: %v", spec, err)
			}
		})
	}
}

func TestSpecIsRefused(t *testing.T) {
	const (
		oneService  = "name exactly one service: either redis, for example {taskID: 18215}, or clb, for example {requestID: 55c85074-3e7f-4c6d-864f-673660d4f8de}"
		oneTask     = "give exactly one of taskID, for example 18215, or latest, for example {instanceID: crs-09u2u96z}"
		oneID       = "give exactly one of requestID, the RequestId that the CLB call returned, or dealName, the ID of the order"
		aRegion     = "write a region such as ap-guangzhou; a zone (ap-guangzhou-3) or a host name is not one"
		aRequestID  = "write the RequestId that the CLB call returned, for example 55c85074-3e7f-4c6d-864f-673660d4f8de: letters, digits, - and _"
		anOrder     = "write the ID of the order, for example 20260101430001234567890: letters, digits, - and _"
		anInstance  = "write the ID of the instance, for example crs-09u2u96z: letters, digits, - and _"
		aTaskType   = "write a task type as DescribeTaskList gives it, for example 004: letters, digits and _"
		aDuration   = "write a duration from 1s to 720h, for example 30m or 1h30m"
		aDateTime   = "must be of type date-time"
		aTime       = "write a time from the year 2000 on, for example 2026-11-21T10:00:00Z"
		aSecretName = "write the name of a Secret, for example tencent-credentials"
	)
	redis := func(fields string) string { return fmt.Sprintf(`{region: ap-guangzhou, redis: {%s}}`, fields) }
	latest := func(fields string) string { return redis("latest: {" + fields + "}") }
	clb := func(fields string) string { return fmt.Sprintf(`{region: ap-guangzhou, clb: {%s}}`, fields) }
	with := func(fields string) string {
		return fmt.Sprintf(`{region: ap-guangzhou, redis: {taskID: 1}, %s}`, fields)
	}
	region := func(name string) string { return fmt.Sprintf(`{region: %q, redis: {taskID: 1}}`, name) }

	cases := map[string]struct{ spec, field, want string }{
		"no service":   {`{region: ap-guangzhou}`, "spec", oneService},
		"two services": {`{region: ap-guangzhou, redis: {taskID: 1}, clb: {requestID: a}}`, "spec", oneService},

		"no region":         {`{redis: {taskID: 1}}`, "spec.region", "Required value"},
		"empty region":      {region(""), "spec.region", aRegion},
		"zone":              {region("ap-guangzhou-3"), "spec.region", aRegion},
		"host":              {region("redis.tencentcloudapi.com"), "spec.region", aRegion},
		"upper-case region": {region("AP-guangzhou"), "spec.region", aRegion},
		"region with path":  {region("ap-guangzhou/x"), "spec.region", aRegion},
		"two-line region":   {region("ap-guangzhou\n"), "spec.region", aRegion},
		"long region":       {region("ap-" + strings.Repeat("a", 38)), "spec.region", "may not be more than 40"},

		"neither task nor latest": {redis(``), "spec.redis", oneTask},
		"task and latest":         {redis(`taskID: 1, latest: {instanceID: crs-1}`), "spec.redis", oneTask},
		"task ID 0":               {redis(`taskID: 0`), "spec.redis.taskID", "greater than or equal to 1"},
		"negative task ID":        {redis(`taskID: -1`), "spec.redis.taskID", "greater than or equal to 1"},
		"task ID as text":         {redis(`taskID: "18215"`), "spec.redis.taskID", "must be of type integer"},
		"fractional task ID":      {redis(`taskID: 1.5`), "spec.redis.taskID", "must be of type integer"},
		"huge task ID":            {redis(`taskID: 9223372036854775808`), "spec.redis.taskID", "format int64"},
		"unknown API":             {redis(`taskID: 1, api: "4.0"`), "spec.redis.api", `supported values: "3.0", "2.0"`},
		"empty API":               {redis(`taskID: 1, api: ""`), "spec.redis.api", `supported values: "3.0", "2.0"`},
		"latest with API 2.0":     {redis(`latest: {instanceID: crs-1}, api: "2.0"`), "spec.redis", `API 2.0 cannot find the latest task: give a taskID, or use api "3.0"`},

		"latest without instance": {latest(``), "spec.redis.latest.instanceID", "Required value"},
		"empty instance":          {latest(`instanceID: ""`), "spec.redis.latest.instanceID", anInstance},
		"instance with a space":   {latest(`instanceID: "crs 1"`), "spec.redis.latest.instanceID", anInstance},
		"instance with escape":    {latest(`instanceID: "crs-1\e[31m"`), "spec.redis.latest.instanceID", anInstance},
		"empty task type":         {latest(`instanceID: crs-1, taskTypes: [""]`), "spec.redis.latest.taskTypes[0]", aTaskType},
		"task type with a quote":  {latest(`instanceID: crs-1, taskTypes: ["004", "0'4"]`), "spec.redis.latest.taskTypes[1]", aTaskType},
		"21 task types":           {latest(`instanceID: crs-1, taskTypes: [` + strings.Repeat("a,", 21) + `]`), "spec.redis.latest.taskTypes", "must have at most 20 items"},
		"startedAfter as words":   {latest(`instanceID: crs-1, startedAfter: yesterday`), "spec.redis.latest.startedAfter", aDateTime},
		"startedAfter as a date":  {latest(`instanceID: crs-1, startedAfter: "2026-11-21"`), "spec.redis.latest.startedAfter", aDateTime},
		"startedAfter no zone":    {latest(`instanceID: crs-1, startedAfter: "2026-11-21T10:00:00"`), "spec.redis.latest.startedAfter", aDateTime},
		"startedAfter in 1970":    {latest(`instanceID: crs-1, startedAfter: "1970-01-01T00:00:00Z"`), "spec.redis.latest.startedAfter", aTime},
		"no such day":             {latest(`instanceID: crs-1, startedAfter: "2026-02-30T00:00:00Z"`), "spec.redis.latest.startedAfter", aDateTime},

		"neither request nor order": {clb(``), "spec.clb", oneID},
		"request and order":         {clb(`requestID: a, dealName: b`), "spec.clb", oneID},
		"empty request ID":          {clb(`requestID: ""`), "spec.clb.requestID", aRequestID},
		"request ID of two lines":   {clb(`requestID: "a\nb"`), "spec.clb.requestID", aRequestID},
		"10,000-character request":  {clb(`requestID: ` + strings.Repeat("a", 10000)), "spec.clb.requestID", "may not be more than 128"},
		"empty order":               {clb(`dealName: ""`), "spec.clb.dealName", anOrder},
		"order with a slash":        {clb(`dealName: a/b`), "spec.clb.dealName", anOrder},

		"empty Secret name":        {with(`credentials: {secretName: ""}`), "spec.credentials.secretName", aSecretName},
		"Secret of another":        {with(`credentials: {secretName: other/secret}`), "spec.credentials.secretName", aSecretName},
		"no Secret name":           {with(`credentials: {}`), "spec.credentials.secretName", "Required value"},
		"negative timeout":         {with(`timeout: -5m`), "spec.timeout", aDuration},
		"zero timeout":             {with(`timeout: 0s`), "spec.timeout", aDuration},
		"empty timeout":            {with(`timeout: ""`), "spec.timeout", aDuration},
		"timeout in words":         {with(`timeout: 1 day`), "spec.timeout", aDuration},
		"timeout without unit":     {with(`timeout: "30"`), "spec.timeout", aDuration},
		"timeout as a number":      {with(`timeout: 30`), "spec.timeout", "must be of type string"},
		"timeout beyond 720h":      {with(`timeout: 720h1s`), "spec.timeout", aDuration},
		"timeout that overflows":   {with(`timeout: 99999999999h`), "spec.timeout", aDuration},
		"9-digit hours":            {with(`timeout: 999999999h`), "spec.timeout", aDuration},
		"long timeout":             {with(`timeout: ` + strings.Repeat("1s", 17)), "spec.timeout", "may not be more than 32"},
		"negative grace period":    {with(`notFoundGracePeriod: -60s`), "spec.notFoundGracePeriod", aDuration},
		"negative ttl":             {with(`ttlSecondsAfterFinished: -1`), "spec.ttlSecondsAfterFinished", "greater than or equal to 0"},
		"ttl beyond 68 years":      {with(`ttlSecondsAfterFinished: 2147483648`), "spec.ttlSecondsAfterFinished", "less than or equal to 2147483647"},
		"suspend as text":          {with(`suspend: "true"`), "spec.suspend", "must be of type boolean"},
		"unknown field":            {with(`taskId: 5`), "spec.taskId", "unknown field"},
		"unknown field in service": {redis(`taskID: 1, instanceId: x`), "spec.redis.instanceId", "unknown field"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := admin.Create(t.Context(), newTask(t, tc.spec), client.DryRunAll, client.FieldValidation("Strict"))
			checkRefused(t, tc.spec, err, tc.field, tc.want)
		})
	}
}

// checkRefused wants the message for a person at the field, and none of the
// evaluator's own errors beside it.
func checkRefused(t *testing.T, spec string, err error, field, want string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("accepted: %.200s", spec)
	case !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err):
		t.Errorf("not refused as invalid: %v", err)
	case !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), field):
		t.Errorf("refused with\n  %v\nwant %q at %s", err, want, field)
	case strings.Contains(err.Error(), "failed rule") || strings.Contains(err.Error(), "evaluat"):
		t.Errorf("refused with CEL's own words:\n  %v", err)
	}
}

func TestIdentityIsImmutable(t *testing.T) {
	const newName = "a new task wants a new CloudTask with a new name, for example flush-cache-18215"
	const redis = `{region: ap-guangzhou, redis: {taskID: 18215}}`
	const latest = `{region: ap-guangzhou, redis: {latest: {instanceID: crs-1, taskTypes: ["004"]}}}`
	const clb = `{region: ap-guangzhou, clb: {requestID: a}}`
	cases := map[string]struct{ from, to, want string }{
		"region":          {redis, `{region: ap-shanghai, redis: {taskID: 18215}}`, "region cannot be changed: " + newName},
		"task ID":         {redis, `{region: ap-guangzhou, redis: {taskID: 18216}}`, "redis cannot be changed: " + newName},
		"API":             {redis, `{region: ap-guangzhou, redis: {taskID: 18215, api: "2.0"}}`, "redis cannot be changed: " + newName},
		"task to latest":  {redis, latest, "redis cannot be changed: " + newName},
		"instance":        {latest, `{region: ap-guangzhou, redis: {latest: {instanceID: crs-2, taskTypes: ["004"]}}}`, "redis cannot be changed: " + newName},
		"task types":      {latest, `{region: ap-guangzhou, redis: {latest: {instanceID: crs-1}}}`, "redis cannot be changed: " + newName},
		"started after":   {latest, `{region: ap-guangzhou, redis: {latest: {instanceID: crs-1, taskTypes: ["004"], startedAfter: "2026-11-21T10:00:00Z"}}}`, "redis cannot be changed: " + newName},
		"service":         {redis, clb, "redis cannot be changed: " + newName},
		"service, at clb": {redis, clb, "clb cannot be changed: " + newName},
		"request ID":      {clb, `{region: ap-guangzhou, clb: {requestID: b}}`, "clb cannot be changed: " + newName},
		"request to order": {
			clb, `{region: ap-guangzhou, clb: {dealName: a}}`,
			"clb cannot be changed: " + newName,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			obj := createTask(t, tc.from).DeepCopy()
			obj.Object["spec"] = newTask(t, tc.to).Object["spec"]
			err := admin.Update(t.Context(), obj)
			checkRefused(t, tc.to, err, "spec", tc.want)
		})
	}
}

func TestTheRestCanChange(t *testing.T) {
	obj := createTask(t, `{region: ap-guangzhou, redis: {taskID: 18215}}`).DeepCopy()
	obj.Object["spec"] = newTask(t, `{region: ap-guangzhou, redis: {taskID: 18215, api: "3.0"}, timeout: 30m,
		notFoundGracePeriod: 5s, ttlSecondsAfterFinished: 60, suspend: true, credentials: {secretName: other}}`).Object["spec"]
	if err := admin.Update(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	if got := obj.GetGeneration(); got != 2 {
		t.Errorf("generation = %d, want 2", got)
	}
}

// TestSpecIsRequired: an object without a spec would be one that nobody polls.
func TestSpecIsRequired(t *testing.T) {
	obj := newTask(t, `{}`)
	unstructured.RemoveNestedField(obj.Object, "spec")
	err := admin.Create(t.Context(), obj, client.DryRunAll)
	checkRefused(t, "none", err, "spec", "Required value")
}
