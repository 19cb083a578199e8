package controllers_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/openapi"

	"cloudtask.dev/cloudtask/controllers"
)

func TestSchemaCheckPassesTheServedCRD(t *testing.T) {
	d, err := discovery.NewDiscoveryClientForConfig(env.Config)
	check(t, err)
	check(t, controllers.SchemaCheck{OpenAPI: d.OpenAPIV3()}.Start(t.Context()))
}

// served is an API server's schemas, by path.
type served map[string]string

func (s served) Paths() (map[string]openapi.GroupVersion, error) {
	paths := map[string]openapi.GroupVersion{}
	for path, document := range s {
		paths[path] = schema(document)
	}
	return paths, nil
}

type schema string

func (s schema) Schema(string) ([]byte, error) { return []byte(s), nil }
func (schema) ServerRelativeURL() string       { return "" }

func TestSchemaCheckSaysWhatToDo(t *testing.T) {
	for name, tc := range map[string]struct {
		reason  string
		schemas served
		want    []string
	}{
		"no CRD": {
			reason: "without the CRD nothing can work", schemas: served{},
			want: []string{"not installed", "crds.enabled=true"},
		},
		"older CRD": {
			reason: "a field that the API server drops must not be lost in silence",
			schemas: served{"apis/tencent.cloudtask.dev/v1alpha1": `{"components":{"schemas":{"dev.cloudtask.tencent.v1alpha1.CloudTask":
				{"properties":{"spec":{"properties":{"region":{}}},"status":{"properties":{"error":{"properties":{"code":{}}}}}}}}}}`},
			want: []string{"older than this operator", "spec.redis", "status.phase", "status.error.message", "apply config/crd/bases"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				err := controllers.SchemaCheck{OpenAPI: tc.schemas}.Start(context.Background())
				for _, want := range tc.want {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%s: got %v, want it to say %q", tc.reason, err, want)
					}
				}
			})
		})
	}
}

// away is an API server that does not answer.
type away struct{}

func (away) Paths() (map[string]openapi.GroupVersion, error) {
	return nil, errors.New("connection refused")
}

func TestSchemaCheckWaitsForTheAPIServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var said []string
		log := funcr.New(func(_, args string) { said = append(said, args) }, funcr.Options{})
		check(t, controllers.SchemaCheck{OpenAPI: away{}, Log: log}.Start(ctx))
		if len(said) != 1 || !strings.Contains(said[0], "connection refused") {
			t.Errorf("the log should say once what is waited for, got %q", said)
		}
		if ctx.Err() == nil {
			t.Error("an API server that does not answer has passed the check")
		}
	})
}
