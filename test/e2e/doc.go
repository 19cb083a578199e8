// Package e2e holds the tests on a real node of Kubernetes: make e2e. They are
// built with the tag e2e, since only hack/e2e/run.sh can run them.
package e2e
