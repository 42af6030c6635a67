// Package natswire is not written yet.
package natswire
