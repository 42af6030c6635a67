package kafkawire

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"trivium/core"
)

// The error codes that are answered.
var (
	errNone                 int16
	errOffsetOutOfRange     = kerr.OffsetOutOfRange.Code
	errCorrupt              = kerr.CorruptMessage.Code
	errUnknownTopic         = kerr.UnknownTopicOrPartition.Code
	errTooLarge             = kerr.MessageTooLarge.Code
	errMetadataTooLarge     = kerr.OffsetMetadataTooLarge.Code
	errInvalidTopic         = kerr.InvalidTopicException.Code
	errInvalidAcks          = kerr.InvalidRequiredAcks.Code
	errIllegalGeneration    = kerr.IllegalGeneration.Code
	errInvalidGroup         = kerr.InvalidGroupID.Code
	errUnknownMember        = kerr.UnknownMemberID.Code
	errTopicDenied          = kerr.TopicAuthorizationFailed.Code
	errInvalidTimestamp     = kerr.InvalidTimestamp.Code
	errInvalidSession       = kerr.InvalidSessionTimeout.Code
	errUnsupportedVersion   = kerr.UnsupportedVersion.Code
	errTopicExists          = kerr.TopicAlreadyExists.Code
	errInvalidPartitions    = kerr.InvalidPartitions.Code
	errInvalidReplication   = kerr.InvalidReplicationFactor.Code
	errInvalidAssignment    = kerr.InvalidReplicaAssignment.Code
	errInvalidConfig        = kerr.InvalidConfig.Code
	errInvalidRequest       = kerr.InvalidRequest.Code
	errPolicy               = kerr.PolicyViolation.Code
	errOutOfSequence        = kerr.OutOfOrderSequenceNumber.Code
	errFenced               = kerr.InvalidProducerEpoch.Code
	errTransactionDenied    = kerr.TransactionalIDAuthorizationFailed.Code
	errStorage              = kerr.KafkaStorageError.Code
	errSessionNotFound      = kerr.FetchSessionIDNotFound.Code
	errSessionEpoch         = kerr.InvalidFetchSessionEpoch.Code
	errSessionTopicID       = kerr.FetchSessionTopicIDError.Code
	errNonEmptyGroup        = kerr.NonEmptyGroup.Code
	errGroupNotFound        = kerr.GroupIDNotFound.Code
	errFencedEpoch          = kerr.FencedLeaderEpoch.Code
	errUnknownEpoch         = kerr.UnknownLeaderEpoch.Code
	errUnsupportedCodec     = kerr.UnsupportedCompressionType.Code
	errGroupSubscribed      = kerr.GroupSubscribedToTopic.Code
	errInvalidRecord        = kerr.InvalidRecord.Code
	errUnknownTopicID       = kerr.UnknownTopicID.Code
	errNotLeader            = kerr.NotLeaderForPartition.Code
	errCoordinatorNotThere  = kerr.CoordinatorNotAvailable.Code
	errMismatchedEndpoint   = kerr.MismatchedEndpointType.Code
	errInconsistentProtocol = kerr.InconsistentGroupProtocol.Code
)

// codes is the one table from core's errors to Kafka's.
var codes = map[core.Code]int16{
	core.NotFound:      errUnknownTopic,
	core.Exists:        errTopicExists,
	core.InUse:         errNonEmptyGroup,
	core.Gone:          errUnknownTopic,
	core.Full:          errPolicy,
	core.TooLarge:      errTooLarge,
	core.Invalid:       errInvalidRecord,
	core.WrongLast:     errOutOfSequence,
	core.WrongLastID:   errOutOfSequence,
	core.Duplicate:     errNone,
	core.OutOfSequence: errOutOfSequence,
	core.Fenced:        errFenced,
	core.Unwritable:    errStorage,
	core.NoSpace:       errStorage,
	core.Corrupt:       errCorrupt,
}

// code is Kafka's code for an error of core.
func code(err error) int16 {
	if err == nil {
		return errNone
	}
	if e, ok := errors.AsType[*core.Error](err); ok {
		if c, ok := codes[e.Code]; ok {
			return c
		}
	}
	return errStorage
}

// text is a message for an answer that can carry one.
func text(err error) *string {
	if err == nil {
		return nil
	}
	s := err.Error()
	return &s
}
