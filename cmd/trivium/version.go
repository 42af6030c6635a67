package main

import (
	"runtime"
	"runtime/debug"
)

// version names the build: the module's version, or the commit it was built
// from, and with which Go.
func version() string {
	name := "devel"
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; v != "" && v != "(devel)" {
			name = v
		} else {
			for _, s := range info.Settings {
				if s.Key == "vcs.revision" {
					name = s.Value
				}
			}
		}
	}
	return "trivium " + name + " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
}
