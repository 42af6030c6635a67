package core

import "encoding/binary"

// Every key that core writes into the index store begins with one of these
// bytes. This is the only place that defines them; numbers in keys are big
// endian, so that keys sort by them.
const (
	keyNextID    = 'i' // -> the first id that was never given out
	keyClean     = 'z' // there if the last run ended by Close
	keyNamespace = 'n' // id -> namespaceRecord
	keyStream    = 's' // namespace id, stream id -> streamRecord
	keyQueue     = 'q' // namespace id, queue id -> queue, see queueVersion
	keyCursor    = 'c' // stream id, cursor id -> cursorRecord
	keyState     = 'k' // owner id, part -> position, state: the checkpoints
	keyExchange  = 'x' // namespace id, name -> exchange
	keyBinding   = 'b' // namespace id, … -> binding
	keyDoc       = 'd' // namespace id, realm, 0, key -> a door's document
	keyExposed   = 'e' // namespace id, realm, name -> stream id
	keyOffsets   = 'o' // namespace id, owner id -> a group's realm and name
)

// key returns prefix followed by the ids.
func key(prefix byte, ids ...uint64) []byte {
	k := make([]byte, 1, 1+8*len(ids)+16)
	k[0] = prefix
	for _, id := range ids {
		k = binary.BigEndian.AppendUint64(k, id)
	}
	return k
}

// keyIDs reads n ids behind a key's prefix, and returns what follows them.
func keyIDs(k []byte, ids ...*uint64) (rest []byte, ok bool) {
	if len(k) < 1+8*len(ids) {
		return nil, false
	}
	k = k[1:]
	for _, id := range ids {
		*id = binary.BigEndian.Uint64(k)
		k = k[8:]
	}
	return k, true
}

// keyEnd is the end of the range of all keys that begin with prefix.
func keyEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
