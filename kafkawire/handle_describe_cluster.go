package kafkawire

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeCluster (60), versions 0 to 2. Source: Kafka 4.3.1; spec 1.2.

func (c *conn) handleDescribeCluster(_ *slot, q *kmsg.DescribeClusterRequest) kmsg.Response {
	r := kmsg.NewPtrDescribeClusterResponse()
	r.ClusterAuthorizedOperations = -1 << 31
	if q.EndpointType != 1 && q.Version >= 1 {
		r.ErrorCode, r.EndpointType = errMismatchedEndpoint, 1
		r.ErrorMessage = kmsg.StringPtr("The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER")
		return r
	}
	r.EndpointType, r.ClusterID, r.ControllerID = 1, c.s.cluster, nodeID
	if q.IncludeClusterAuthorizedOperations {
		r.ClusterAuthorizedOperations = clusterOperations
	}
	b := kmsg.NewDescribeClusterResponseBroker()
	b.NodeID, b.Host, b.Port = nodeID, c.host, c.port
	r.Brokers = append(r.Brokers, b)
	return r
}
