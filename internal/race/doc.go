// Package race tells tests whether the race detector is on, for what it changes:
// Enabled programs take a multiple of the memory, and pools forget at random, so
// that ceilings of memory and allocations mean nothing.
package race
