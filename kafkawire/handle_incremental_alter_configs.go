package kafkawire

import (
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// IncrementalAlterConfigs (44), versions 0 to 1. Source: Kafka 4.3.1; spec 1.3.

func (c *conn) handleIncrementalAlterConfigs(_ *slot, q *kmsg.IncrementalAlterConfigsRequest) kmsg.Response {
	r := kmsg.NewPtrIncrementalAlterConfigsResponse()
	for i := range q.Resources {
		w := &q.Resources[i]
		a := kmsg.NewIncrementalAlterConfigsResponseResource()
		a.ResourceType, a.ResourceName = w.ResourceType, w.ResourceName
		if err := c.alterSome(w, q.ValidateOnly); err != nil {
			a.ErrorCode, a.ErrorMessage = err.code, &err.text
		}
		r.Resources = append(r.Resources, a)
	}
	return r
}

func (c *conn) alterSome(w *kmsg.IncrementalAlterConfigsRequestResource, validate bool) *refusal {
	var keys []string
	for _, cf := range w.Configs {
		if slices.Contains(keys, cf.Name) {
			return refuse(errInvalidRequest, "Error due to duplicate config keys")
		}
		keys = append(keys, cf.Name)
		if cf.Value == nil && cf.Op != kmsg.IncrementalAlterConfigOpDelete {
			return refuse(errInvalidRequest, "Null value not supported for : %s", cf.Name)
		}
	}
	t, err := c.altered(w.ResourceType, w.ResourceName, keys)
	if err != nil {
		return err
	}
	m := maps.Clone(t.configs)
	if m == nil {
		m = make(map[string]string)
	}
	for _, cf := range w.Configs {
		def := findConfig(cf.Name)
		list := func() []string {
			var vs []string
			for _, v := range strings.Split(configValue(m, cf.Name), ",") {
				if v = strings.TrimSpace(v); v != "" {
					vs = append(vs, v)
				}
			}
			return vs
		}
		switch cf.Op {
		case kmsg.IncrementalAlterConfigOpSet:
			m[cf.Name] = *cf.Value
		case kmsg.IncrementalAlterConfigOpDelete:
			delete(m, cf.Name)
		case kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract:
			op := "APPEND to"
			if cf.Op == kmsg.IncrementalAlterConfigOpSubtract {
				op = "SUBTRACT to"
			}
			if def == nil || def.typ != typeList {
				return refuse(errInvalidConfig, "Can't %s key %s because its type is not LIST.", op, cf.Name)
			}
			vs := list()
			for _, v := range strings.Split(*cf.Value, ",") {
				if v = strings.TrimSpace(v); v == "" {
					continue
				}
				if at := slices.Index(vs, v); cf.Op == kmsg.IncrementalAlterConfigOpSubtract && at >= 0 {
					vs = slices.Delete(vs, at, at+1)
				} else if cf.Op == kmsg.IncrementalAlterConfigOpAppend && at < 0 {
					vs = append(vs, v)
				}
			}
			m[cf.Name] = strings.Join(vs, ",")
		default:
			return refuse(errInvalidRequest, "Unknown operation type %d", cf.Op)
		}
	}
	if why := checkConfigs(m); why != "" {
		return refuse(errInvalidConfig, "%s", why)
	}
	if validate || maps.Equal(m, t.configs) {
		return nil
	}
	return c.s.reconfigure(t, m)
}
