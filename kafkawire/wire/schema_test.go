package wire

import (
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fill gives every field of a request a value, and every array n elements.
func fill(v reflect.Value, n int) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "UnknownTags" && f.Name != "Version" {
				fill(v.Field(i), n)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(v.Index(i), n)
		}
	case reflect.String:
		v.SetString("text"[:min(n, 4)])
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(n))
	case reflect.Bool:
		v.SetBool(true)
	}
}

// Every schema reads exactly what kmsg writes, empty or full, and no less.
func TestSchemas(t *testing.T) {
	for _, s := range schemas {
		for v := s.min; v <= s.max; v++ {
			for n := range 3 {
				q := kmsg.RequestForKey(s.key)
				fill(reflect.ValueOf(q).Elem(), n)
				q.SetVersion(v)
				b := q.AppendTo(nil)
				if err := CheckFlexible(s.key, v, b); err != nil {
					t.Errorf("key %d version %d with %d elements: %v", s.key, v, n, err)
				}
				r := NewReader(b)
				r.walk(s.layout)
				if len(r.Rest()) > 0 {
					t.Errorf("key %d version %d with %d elements: %d bytes are left", s.key, v, n, len(r.Rest()))
				}
				if CheckFlexible(s.key, v, b[:len(b)-1]) == nil {
					t.Errorf("key %d version %d with %d elements: one byte less is taken", s.key, v, n)
				}
			}
		}
	}
}
