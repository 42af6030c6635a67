package core

func (b *Broker) loadStreams() error { return nil }
func (b *Broker) loadQueues() error  { return nil }
func (b *Broker) loadCursors() error { return nil }

func (b *Broker) recoveredStreams(tx *Tx) {}
