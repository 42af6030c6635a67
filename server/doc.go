// Package server is not written yet.
package server
