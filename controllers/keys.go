package controllers

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/terroir-dev/terroir/internal/keys"
)

type keysWorld struct{}

func gatherKeys(context.Context, client.Reader) (keysWorld, error) { return keysWorld{}, nil }

func judgeKeys(keysWorld, time.Time) map[string]keys.Verdict { return nil }
