package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// samples are the lines of a page of metrics: name and labels, and the value.
type samples map[string]float64

func readMetrics(ctx context.Context, c *http.Client, url string) (samples, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read metrics: HTTP %d", resp.StatusCode)
	}
	all := samples{}
	for line := range strings.Lines(string(text)) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if v, err := strconv.ParseFloat(value, 64); err == nil && !strings.HasPrefix(line, "#") {
			all[series] = v
		}
	}
	return all, nil
}

// sum adds up the series of a metric that have all of the labels.
func (s samples) sum(metric string, labels ...string) float64 {
	total := 0.0
	for series, v := range s {
		if !strings.HasPrefix(series, metric+"{") {
			continue
		}
		matches := true
		for _, label := range labels {
			matches = matches && strings.Contains(series, label)
		}
		if matches {
			total += v
		}
	}
	return total
}

// knows reports of how many unfinished tasks the cloud has told the operator.
func (o *operator) knows(ctx context.Context) int {
	m, err := readMetrics(ctx, http.DefaultClient, "http://"+o.metrics+"/metrics")
	if err != nil {
		return 0 // it has just started
	}
	return int(m.sum("cloudtask_lane_tasks", `answered="true"`))
}

// freePort returns a loopback address that nobody listens on.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // answers at once
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close() //nolint:errcheck // nothing was written
	return l.Addr().String(), nil
}
