package main

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/client-go/rest"
)

// What the operator writes at the API server.
const (
	statusWrites = "status"
	eventWrites  = "events"
)

// changes counts the operator's writing requests so far, by the API server's own
// count: the bench itself never patches, and creates no events.
func (b *bench) changes(ctx context.Context) (map[string]float64, error) {
	c, err := rest.HTTPClientFor(b.env.Config)
	if err != nil {
		return nil, fmt.Errorf("read the API server's metrics: %w", err)
	}
	m, err := readMetrics(ctx, c, strings.TrimSuffix(b.env.Config.Host, "/")+"/metrics")
	if err != nil {
		return nil, err
	}
	requests := func(resource, verb string) float64 {
		return m.sum("apiserver_request_total", map[string]string{"resource": resource, "verb": verb})
	}
	return map[string]float64{
		statusWrites: requests("cloudtasks", "PATCH"),
		eventWrites:  requests("events", "POST") + requests("events", "PATCH"),
	}, nil
}
