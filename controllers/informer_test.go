package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// In the tests, each object is a page of its own.
func init() { pageSize = 1 }

func TestSlim(t *testing.T) {
	full := func() *v1alpha1.CloudTask {
		return redisObject(withStatus(told(after(seconds(1)), found(tencent.Running))))
	}
	fat := full()
	fat.Labels = map[string]string{"team": "shop"}
	fat.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}"}
	fat.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	if _, err := Slim(fat); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), fat); diff != "" {
		t.Error("what the operator reads is to stay:", diff)
	}
	if o, err := Slim("no object"); o != "no object" || err != nil {
		t.Errorf("of another kind: %v, %v", o, err)
	}
}
