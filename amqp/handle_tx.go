package amqp

import "trivium/amqp/wire"

// Transactions: publishes are routed when they come, and stored with the acks of the same
// transaction in one core Tx at commit: after a crash all of it is there, or none.

// maxTxBytes is how much may wait for one commit.
const maxTxBytes = 128 << 20

func (ch *channel) txSelect() error {
	if ch.confirming {
		return refuse(codePreconditionFailed, "cannot switch from confirm to tx mode")
	}
	if ch.tx == nil {
		ch.c.commit()
		ch.tx = &batch{}
	}
	ch.send(&wire.TxSelectOk{})
	return nil
}

var errNoTx = refuse(codePreconditionFailed, "channel is not transactional")

// txCommit does what the transaction holds, and answers when it is on disk.
func (ch *channel) txCommit() error {
	if ch.tx == nil {
		return errNoTx
	}
	c := ch.c
	c.commit()
	result := make(chan error, 1)
	rejected := c.run(ch.tx, result)
	ch.tx.reset()
	ch.txTaken = nil
	if err := <-result; err != nil {
		return err
	}
	if rejected {
		return refuse(codePreconditionFailed, "partial tx completion")
	}
	ch.send(&wire.TxCommitOk{})
	return nil
}

// txRollback forgets the publishes; what was acknowledged is unsettled again.
func (ch *channel) txRollback() error {
	if ch.tx == nil {
		return errNoTx
	}
	ch.tx.reset()
	ch.mu.Lock()
	ch.mu.unacked.restore(ch.txTaken)
	ch.c.holding.Store(true)
	ch.mu.Unlock()
	ch.txTaken = nil
	ch.send(&wire.TxRollbackOk{})
	return nil
}
