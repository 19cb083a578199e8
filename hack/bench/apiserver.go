package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
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
	httpClient, err := rest.HTTPClientFor(b.env.Config)
	if err != nil {
		return nil, fmt.Errorf("read the API server's metrics: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(b.env.Config.Host, "/")+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("read the API server's metrics: %w", err)
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("read the API server's metrics: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read the API server's metrics: HTTP %d, %w", resp.StatusCode, err)
	}
	counts := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		labels, isRequests := strings.CutPrefix(line, "apiserver_request_total{")
		if !isRequests {
			continue
		}
		n, _ := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 64)
		switch {
		case strings.Contains(labels, `resource="cloudtasks"`) && strings.Contains(labels, `verb="PATCH"`):
			counts[statusWrites] += n
		case strings.Contains(labels, `resource="events"`) && (strings.Contains(labels, `verb="POST"`) || strings.Contains(labels, `verb="PATCH"`)):
			counts[eventWrites] += n
		}
	}
	return counts, nil
}
