package amqp

import (
	"trivium/amqp/wire"
)

// headerFilterValue is the header of a message that consumers of a stream choose by.
const headerFilterValue = "x-stream-filter-value"

// filter is what a consumer of a stream wants of it, as in RabbitMQ, where it only saves transfer: a client must expect
// other messages as well, because whole chunks are sent. Here it is exact.
type filter struct {
	values     map[string]struct{}
	unfiltered bool // those without a value too
}

// parseFilter reads the arguments of a consumer, nil if it wants everything. As in RabbitMQ's filter_spec, values of
// other types are no filter.
func parseFilter(args wire.Table) *filter {
	v, ok := args.Lookup(argStreamFilter)
	if !ok {
		return nil
	}
	f := &filter{values: map[string]struct{}{}}
	switch v.Type {
	case wire.TypeString:
		s, _ := v.Text()
		f.values[string(s)] = struct{}{}
	case wire.TypeArray:
		a, _ := v.Array()
		for _, s := range appendKeys(nil, a) {
			f.values[s] = struct{}{}
		}
	default:
		return nil
	}
	if v, ok := args.Lookup(argStreamUnfilter); ok {
		f.unfiltered, _ = v.Bool()
	}
	return f
}

// wants reports whether the consumer is to get a message with these properties.
func (f *filter) wants(props []byte) bool {
	var p wire.Properties
	if p.Parse(props) != nil {
		return true // the client may say what is wrong with it
	}
	if v, ok := p.Headers.Lookup(headerFilterValue); ok {
		if s, _ := v.Text(); len(s) > 0 {
			_, ok := f.values[string(s)]
			return ok
		}
	}
	return f.unfiltered
}
