package wire

import (
	"encoding/binary"
	"hash/crc32"
	"strconv"
)

// Batch is a record batch of magic 2. Numbers are big-endian.
//
//	 0 int64 base offset          outside of the checksum
//	 8 int32 length of what follows
//	12 int32 leader epoch         outside of the checksum
//	16 int8  magic
//	17 int32 crc32c of all from 21 on
//	21 int16 attributes
//	23 int32 last offset delta
//	27 int64 base timestamp, ms
//	35 int64 max timestamp, ms
//	43 int64 producer id
//	51 int16 producer epoch
//	53 int32 base sequence
//	57 int32 number of records
//	61 records, compressed as one if the attributes say so
type Batch []byte

// BatchHeader is the size of a batch without records; batchPrefix what the
// length field does not count.
const (
	BatchHeader = 61
	batchPrefix = 12
)

// The attributes.
const (
	CodecMask         = 7
	LogAppendTimeFlag = 1 << 3
	TransactionalFlag = 1 << 4
	ControlFlag       = 1 << 5
	deleteHorizonFlag = 1 << 6
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (b Batch) BaseOffset() int64      { return int64(binary.BigEndian.Uint64(b)) }
func (b Batch) LeaderEpoch() int32     { return int32(binary.BigEndian.Uint32(b[12:])) }
func (b Batch) Magic() int8            { return int8(b[16]) }
func (b Batch) CRC() uint32            { return binary.BigEndian.Uint32(b[17:]) }
func (b Batch) Attributes() int16      { return int16(binary.BigEndian.Uint16(b[21:])) }
func (b Batch) LastOffsetDelta() int32 { return int32(binary.BigEndian.Uint32(b[23:])) }
func (b Batch) BaseTimestamp() int64   { return int64(binary.BigEndian.Uint64(b[27:])) }
func (b Batch) MaxTimestamp() int64    { return int64(binary.BigEndian.Uint64(b[35:])) }
func (b Batch) ProducerID() int64      { return int64(binary.BigEndian.Uint64(b[43:])) }
func (b Batch) ProducerEpoch() int16   { return int16(binary.BigEndian.Uint16(b[51:])) }
func (b Batch) BaseSequence() int32    { return int32(binary.BigEndian.Uint32(b[53:])) }
func (b Batch) Count() int32           { return int32(binary.BigEndian.Uint32(b[57:])) }

func (b Batch) Codec() Codec        { return Codec(b.Attributes() & CodecMask) }
func (b Batch) LogAppendTime() bool { return b.Attributes()&LogAppendTimeFlag != 0 }
func (b Batch) Transactional() bool { return b.Attributes()&TransactionalFlag != 0 }
func (b Batch) Control() bool       { return b.Attributes()&ControlFlag != 0 }

// LastSequence is the sequence number of the last record; sequence numbers wrap
// from the largest int32 to 0.
func (b Batch) LastSequence() int32 {
	return int32((int64(b.BaseSequence()) + int64(b.LastOffsetDelta())) & (1<<31 - 1))
}

// SetPlace sets the offset of the first record and the leader epoch. The
// checksum does not cover them.
func (b Batch) SetPlace(base int64, epoch int32) {
	binary.BigEndian.PutUint64(b, uint64(base))
	binary.BigEndian.PutUint32(b[12:], uint32(epoch))
}

// SetAppendTime makes ms the time of all records.
func (b Batch) SetAppendTime(ms int64) {
	binary.BigEndian.PutUint16(b[21:], uint16(b.Attributes())|LogAppendTimeFlag)
	b.SetMaxTimestamp(ms)
}

// SetMaxTimestamp corrects the largest timestamp, and the checksum.
func (b Batch) SetMaxTimestamp(ms int64) {
	binary.BigEndian.PutUint64(b[35:], uint64(ms))
	b.seal()
}

func (b Batch) seal() {
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
}

// BatchError says why a batch is refused.
type BatchError struct {
	// Corrupt batches were damaged on their way; sending them again may help.
	// Others are malformed.
	Corrupt bool
	// Whole: it was one batch with a good checksum.
	Whole bool
	Why   string
}

func (e *BatchError) Error() string { return e.Why }

func invalid(why string) error { return &BatchError{Why: why} }
func malformed(why string) error {
	return &BatchError{Whole: true, Why: why}
}
func corrupt(why string) error { return &BatchError{Corrupt: true, Why: why} }

// ParseProduced checks the records field of a produce request: one batch, whole
// and unharmed, as a client may send it. Compressed payloads are not looked
// into. Source: spec 2.1; Kafka's LogValidator and DefaultRecordBatch.
func ParseProduced(b []byte) (Batch, error) {
	if len(b) == 0 {
		return nil, invalid("Record batch is empty")
	}
	if len(b) < batchPrefix+5 {
		return nil, invalid("Record batch is truncated")
	}
	switch m := Batch(b).Magic(); {
	case m == 0 || m == 1:
		return nil, invalid("Record batches of magic 0 and 1 are not supported")
	case m != 2:
		return nil, corrupt("Invalid magic found in record: " + strconv.Itoa(int(m)))
	}
	n := int64(int32(binary.BigEndian.Uint32(b[8:]))) + batchPrefix
	switch {
	case n < BatchHeader:
		return nil, corrupt("Record batch is smaller than its header")
	case n > int64(len(b)):
		return nil, invalid("Record batch is truncated")
	case n < int64(len(b)):
		return nil, invalid("Produce requests must have exactly one record batch for each partition")
	}
	k := Batch(b)
	if crc32.Checksum(k[21:], castagnoli) != k.CRC() {
		return nil, corrupt("Record is corrupt (stored crc does not match)")
	}
	switch {
	case k.BaseOffset() != 0:
		return nil, malformed("The baseOffset of the record batch should be 0")
	case k.Count() <= 0:
		return nil, malformed("Record batch holds no records")
	case k.LastOffsetDelta() != k.Count()-1:
		return nil, malformed("Number of records does not match the last offset delta")
	case k.Control():
		return nil, malformed("Clients are not allowed to write control records")
	case k.Attributes()&deleteHorizonFlag != 0:
		return nil, malformed("Clients are not allowed to set a delete horizon")
	case k.ProducerID() >= 0 && k.BaseSequence() < 0:
		return nil, malformed("Invalid sequence number for a batch with a producer id")
	case k.ProducerID() >= 0 && k.ProducerEpoch() < 0:
		return nil, malformed("Invalid producer epoch for a batch with a producer id")
	case int(k.Count()) > (len(k)-BatchHeader) && k.Codec() == None:
		return nil, malformed("Record batch is too small for its number of records")
	}
	if k.Codec() != None && !plausible(k.Codec(), k[BatchHeader:]) {
		return nil, corrupt("Record batch is not compressed as its attributes say")
	}
	return k, nil
}

// ParseStored is for batches that come from the log: it checks what reading on
// depends on.
func ParseStored(b []byte) (Batch, error) {
	if len(b) < BatchHeader || Batch(b).Magic() != 2 || int(binary.BigEndian.Uint32(b[8:]))+batchPrefix != len(b) {
		return nil, corrupt("not a record batch")
	}
	return Batch(b), nil
}
