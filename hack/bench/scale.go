package main

import (
	"context"
)

// Scale is what a large number of objects costs.
type Scale struct {
}

func (s *Scale) table() string { return "" }

func (b *bench) runScale(ctx context.Context, objects int) (*Scale, error) { return nil, nil }
