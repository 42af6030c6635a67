// Package kafkawire is not written yet.
package kafkawire
