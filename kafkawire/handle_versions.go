package kafkawire

import (
	"regexp"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire/wire"
)

// ApiVersions (18), versions 0 to 4. It lists what is served and nothing else:
// without transactions there is no transaction.version, without the new group
// protocol no group.version. Source: Kafka 4.3.1; spec 1.1, KIP-511, KIP-584.

var softwareName = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

// The levels of metadata.version that 4.3 supports.
const metadataMin, metadataMax = 7, 30

func (c *conn) handleApiVersions(_ *slot, q *kmsg.ApiVersionsRequest) kmsg.Response {
	r := kmsg.NewPtrApiVersionsResponse()
	r.Version = q.Version
	r.FinalizedFeaturesEpoch = 0
	if q.Version >= 3 && (!softwareName.MatchString(q.ClientSoftwareName) || !softwareName.MatchString(q.ClientSoftwareVersion)) {
		r.ErrorCode = errInvalidRequest
		return r
	}
	r.ApiKeys = apiKeys()
	feature := func(name string, min, max int16) {
		f := kmsg.NewApiVersionsResponseSupportedFeature()
		f.Name, f.MinVersion, f.MaxVersion = name, min, max
		r.SupportedFeatures = append(r.SupportedFeatures, f)
	}
	// Readers of version 3 refuse a feature whose minimum is 0.
	if q.Version >= 4 {
		feature("kraft.version", 0, 1)
	}
	feature("metadata.version", metadataMin, metadataMax)
	f := kmsg.NewApiVersionsResponseFinalizedFeature()
	f.Name, f.MinVersionLevel, f.MaxVersionLevel = "metadata.version", metadataMax, metadataMax
	r.FinalizedFeatures = append(r.FinalizedFeatures, f)
	return r
}

// apiKeys is what is served.
func apiKeys() []kmsg.ApiVersionsResponseApiKey {
	var ks []kmsg.ApiVersionsResponseApiKey
	add := func(key int, min, max int16) {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = int16(key), min, max
		ks = append(ks, k)
	}
	add(wire.Produce, 0, wire.ProduceMax)
	add(wire.Fetch, wire.FetchMin, wire.FetchMax)
	for key := range handlers {
		if h := &handlers[key]; h.serve != nil {
			add(key, h.min, h.max)
		}
	}
	return ks
}

// refuseApiVersions answers a version that is not known in the encoding of
// version 0, naming the versions that are. The connection goes on.
func (c *conn) refuseApiVersions(h wire.Header) error {
	s := c.reserve(h)
	if s == nil {
		return errHangup
	}
	r := kmsg.NewPtrApiVersionsResponse()
	r.ErrorCode = errUnsupportedVersion
	k := kmsg.NewApiVersionsResponseApiKey()
	k.ApiKey, k.MinVersion, k.MaxVersion = wire.ApiVersions, handlers[wire.ApiVersions].min, handlers[wire.ApiVersions].max
	r.ApiKeys = append(r.ApiKeys, k)
	s.answer(r)
	return nil
}
