package jetstream

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"trivium/core"
)

// Exposed names: a second name of another door's stream, which its owner gave it. The stream is found under both
// and listed under both; its subjects, and the name in acks, are those of the view.

// exposed finds another door's stream by a second name, a partition of several with its number appended.
func (a *account) exposed(name string) *stream {
	if cs := a.ns.Exposed(Realm, name); cs != nil && cs.Partitions() == 1 {
		return a.view(cs, 0)
	}
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return nil
	}
	n, err := strconv.Atoi(name[i+1:])
	cs := a.ns.Exposed(Realm, name[:i])
	if err != nil || cs == nil || cs.Partitions() == 1 || name[i+1:] != strconv.Itoa(n) {
		return nil
	}
	return a.view(cs, n)
}

// exposedConsumer finds a consumer by "stream.consumer" with an exposed name of the stream.
func (a *account) exposedConsumer(key []byte) *consumer {
	name, rest, ok := bytes.Cut(key, []byte{'.'})
	if !ok {
		return nil
	}
	s := a.exposed(string(name))
	if s == nil {
		return nil
	}
	return a.consumer([]byte(s.name + "." + string(rest)))
}

// shownStream is a stream under one of its names.
type shownStream struct {
	*stream
	name string
}

// shownStreams lists the streams that allStreams does, and, if it is all of them, the exposed names too: who looks
// for a subject's stream gets one answer.
func (a *account) shownStreams(filter string) []shownStream {
	var all []shownStream
	for _, s := range a.allStreams(filter) {
		all = append(all, shownStream{s, s.name})
	}
	if filter != "" {
		return all
	}
	for _, x := range a.ns.AllExposed() {
		for p := range x.Stream.Partitions() {
			if s := a.view(x.Stream, p); x.Realm == Realm && s != nil {
				name := x.Name
				if x.Stream.Partitions() > 1 {
					name += "-" + strconv.Itoa(p)
				}
				all = append(all, shownStream{s, name})
			}
		}
	}
	slices.SortFunc(all, func(x, y shownStream) int { return cmp.Compare(x.name, y.name) })
	return all
}

// CheckName says why another door's stream cannot be shown under this name.
func CheckName(name string) error {
	if !validName(name) || len(name) > core.MaxExposedName {
		return errors.New("a stream's name has no white space, no . * > / \\, and at most 255 characters")
	}
	return nil
}
