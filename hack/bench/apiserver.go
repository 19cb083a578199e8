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
	const requests = "apiserver_request_total"
	return map[string]float64{
		statusWrites: m.sum(requests, `resource="cloudtasks"`, `verb="PATCH"`),
		eventWrites:  m.sum(requests, `resource="events"`, `verb="POST"`) + m.sum(requests, `resource="events"`, `verb="PATCH"`),
	}, nil
}
