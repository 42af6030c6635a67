// Package admin is not written yet.
package admin
