package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/openapi"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

const (
	// schemaPatience is how long a CRD may take to be served after it was applied.
	schemaPatience = 30 * time.Second
	schemaInterval = time.Second
)

// SchemaCheck ends the operator if the served CRD lacks a field that it needs: the
// API server would drop such a field without a word.
type SchemaCheck struct {
	OpenAPI openapi.Client
	Log     logr.Logger
}

// NeedLeaderElection makes every replica check.
func (SchemaCheck) NeedLeaderElection() bool { return false }

// Start checks once, and again while the CRD may be on its way. An API server that
// does not answer proves nothing.
func (c SchemaCheck) Start(ctx context.Context) error {
	ticker := time.NewTicker(schemaInterval)
	defer ticker.Stop()
	var since time.Time // when the fault was first seen
	for away := false; ; {
		fault, err := c.check()
		switch {
		case err != nil:
			if !away {
				c.Log.Info("the API server does not answer, and is waited for", "error", err.Error())
			}
			since = time.Time{}
		case fault == nil:
			return nil
		case since.IsZero():
			since = time.Now()
		case time.Since(since) >= schemaPatience:
			return fault
		}
		away = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// check returns what is wrong with the served CRD, or why that cannot be told.
func (c SchemaCheck) check() (fault, err error) {
	paths, err := c.OpenAPI.Paths()
	if err != nil {
		return nil, fmt.Errorf("read the API server's schemas: %w", err)
	}
	gv := v1alpha1.GroupVersion
	path, ok := paths["apis/"+gv.String()]
	if !ok {
		return errors.New("the CRD cloudtasks.tencent.cloudtask.dev is not installed: apply config/crd/bases, or install the chart with crds.enabled=true"), nil
	}
	document, err := path.Schema(runtime.ContentTypeJSON)
	if err != nil {
		return nil, fmt.Errorf("read the schema of CloudTask: %w", err)
	}
	missing, err := missingFields(document)
	switch {
	case err != nil:
		return nil, err
	case len(missing) > 0:
		return fmt.Errorf("the CRD cloudtasks.tencent.cloudtask.dev is older than this operator, it lacks %s: apply config/crd/bases of this version, or upgrade the chart with crds.enabled=true", strings.Join(missing, ", ")), nil
	}
	return nil, nil
}

// openAPISchema is the part of an OpenAPI schema that tells of fields.
type openAPISchema struct {
	Properties map[string]openAPISchema `json:"properties"`
	Items      *openAPISchema           `json:"items"`
}

// missingFields returns the fields of the Go type that a schema does not have.
func missingFields(document []byte) ([]string, error) {
	var doc struct {
		Components struct {
			Schemas map[string]openAPISchema `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("read the schema of CloudTask: %w", err)
	}
	served := doc.Components.Schemas["dev.cloudtask.tencent.v1alpha1.CloudTask"]
	var missing []string
	for name, part := range map[string]any{"spec": v1alpha1.CloudTaskSpec{}, "status": v1alpha1.CloudTaskStatus{}} {
		missing = append(missing, lacking(name, reflect.TypeOf(part), served.Properties[name])...)
	}
	return missing, nil
}

// lacking walks a Go type beside its schema.
func lacking(path string, t reflect.Type, served openAPISchema) (missing []string) {
	switch t.Kind() {
	case reflect.Pointer:
		return lacking(path, t.Elem(), served)
	case reflect.Slice:
		if served.Items != nil {
			return lacking(path, t.Elem(), *served.Items)
		}
		return nil
	case reflect.Struct:
		if !strings.HasSuffix(t.PkgPath(), "/api/v1alpha1") {
			return nil
		}
	default:
		return nil
	}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		inner, ok := served.Properties[name]
		if !ok {
			missing = append(missing, path+"."+name)
			continue
		}
		missing = append(missing, lacking(path+"."+name, field.Type, inner)...)
	}
	return missing
}
