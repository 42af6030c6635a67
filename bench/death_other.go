//go:build !linux

package main

import "syscall"

// Elsewhere only the signals that bench can catch end its children.
func dieWithParent(*syscall.SysProcAttr) {}

func dieWithGoRun() {}
