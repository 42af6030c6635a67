package main

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// One flow through each door at the same time: through one Trivium, or through the
// three peers beside each other.

func mixWorkloads() []workload {
	return []workload{
		{name: fmt.Sprintf("mix of all three at once, durable, %d/s each, %d B", flowRate, flowSize), door: "mix", paced: true, run: mix(flowRate)},
		{name: fmt.Sprintf("mix of all three at once, durable, %d B", flowSize), door: "mix", run: mix(0)},
	}
}

// mixed is what flows in the mix.
var mixed = map[string]opener{"amqp": amqpFlow, "kafka": kafkaFlow, "nats": jetStreamFlow}

func mix(rate int) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		flows := map[string]*flowRun{}
		for door, open := range mixed {
			r, err := openFlow(t, open, flowSize)
			if err != nil {
				return sample{}, fmt.Errorf("%s: %w", door, err)
			}
			defer r.close()
			flows[door] = r
		}
		if err := t.begin(); err != nil {
			return sample{}, err
		}
		return driveTogether(flows, rate, flowSpan(t, rate))
	}
}

func driveTogether(flows map[string]*flowRun, rate int, span time.Duration) (sample, error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failed error
	all := sample{Size: flowSize, Seconds: span.Seconds(), Parts: map[string]sample{}}
	for door, r := range flows {
		wg.Go(func() {
			s, err := r.drive(rate, span)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", door, err))
			}
			all.Messages += s.Messages
			all.Served += s.Served
			all.Parts[door] = s
		})
	}
	wg.Wait()
	return all, failed
}
