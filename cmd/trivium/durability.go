package main

import (
	"fmt"

	"trivium/server"
)

// durability is the value of --durability.
type durability server.Durability

var durabilities = map[string]server.Durability{
	"sync": server.Sync, "interval": server.Interval, "os": server.OS,
}

func (d durability) String() string {
	for name, v := range durabilities {
		if v == server.Durability(d) {
			return name
		}
	}
	return ""
}

// Set is called by the flag's parser.
func (d *durability) Set(name string) error {
	v, ok := durabilities[name]
	if !ok {
		return fmt.Errorf("%q is none of sync, interval, os", name)
	}
	*d = durability(v)
	return nil
}

// Type names the value in messages.
func (d *durability) Type() string { return "mode" }

// when says what it takes to lose something that was acknowledged.
func (d durability) when() string {
	if server.Durability(d) == server.Sync {
		return "never"
	}
	return "if the machine, not only the process, stops suddenly"
}
