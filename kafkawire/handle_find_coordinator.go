package kafkawire

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// FindCoordinator (10), versions 0 to 6. The first one for a group makes
// __consumer_offsets, so that it is listed from then on. Source: Kafka 4.3.1; spec 2.6, 2.10.

// The kinds of coordinator.
const (
	coordinatesGroup        = 0
	coordinatesTransactions = 1
)

func (c *conn) handleFindCoordinator(_ *slot, q *kmsg.FindCoordinatorRequest) kmsg.Response {
	r := kmsg.NewPtrFindCoordinatorResponse()
	one := func(key string) (a kmsg.FindCoordinatorResponseCoordinator) {
		a.Default()
		a.Key, a.NodeID, a.Port = key, -1, -1
		var err *refusal
		switch q.CoordinatorType {
		case coordinatesGroup:
			err = c.s.ensureOffsetsTopic()
		case coordinatesTransactions:
			err = refuse(errTransactionDenied, "Transactions are not supported")
		default:
			err = refuse(errInvalidRequest, "Unknown coordinator type %d", q.CoordinatorType)
		}
		if err != nil {
			a.ErrorCode, a.ErrorMessage = err.code, &err.text
			if err.code == errStorage {
				a.ErrorCode = errCoordinatorNotThere
			}
			return a
		}
		a.NodeID, a.Host, a.Port = nodeID, c.host, c.port
		a.ErrorMessage = new(string)
		if q.Version < 4 {
			*a.ErrorMessage = "NONE" // so says Kafka
		}
		return a
	}
	if q.Version >= 4 {
		for _, key := range q.CoordinatorKeys {
			r.Coordinators = append(r.Coordinators, one(key))
		}
		return r
	}
	a := one(q.CoordinatorKey)
	r.ErrorCode, r.ErrorMessage, r.NodeID, r.Host, r.Port = a.ErrorCode, a.ErrorMessage, a.NodeID, a.Host, a.Port
	return r
}
