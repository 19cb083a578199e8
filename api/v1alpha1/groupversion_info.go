// Package v1alpha1 holds the CloudTask API: an asynchronous task of Tencent
// Cloud as a Kubernetes object on whose status other tools can wait.
//
// +kubebuilder:object:generate=true
// +groupName=tencent.cloudtask.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of CloudTask.
var GroupVersion = schema.GroupVersion{Group: "tencent.cloudtask.dev", Version: "v1alpha1"}

var schemeBuilder = runtime.NewSchemeBuilder(func(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &CloudTask{}, &CloudTaskList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
})

// AddToScheme makes the CloudTask types known to a scheme.
var AddToScheme = schemeBuilder.AddToScheme
