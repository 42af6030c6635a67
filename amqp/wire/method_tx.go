package wire

// TxSelect is tx.select.
type TxSelect struct{}

func (*TxSelect) ID() ID         { return ClassTx<<16 | 10 }
func (*TxSelect) fields(*fields) {}

// TxSelectOk is tx.select-ok.
type TxSelectOk struct{}

func (*TxSelectOk) ID() ID         { return ClassTx<<16 | 11 }
func (*TxSelectOk) fields(*fields) {}

// TxCommit is tx.commit.
type TxCommit struct{}

func (*TxCommit) ID() ID         { return ClassTx<<16 | 20 }
func (*TxCommit) fields(*fields) {}

// TxCommitOk is tx.commit-ok.
type TxCommitOk struct{}

func (*TxCommitOk) ID() ID         { return ClassTx<<16 | 21 }
func (*TxCommitOk) fields(*fields) {}

// TxRollback is tx.rollback.
type TxRollback struct{}

func (*TxRollback) ID() ID         { return ClassTx<<16 | 30 }
func (*TxRollback) fields(*fields) {}

// TxRollbackOk is tx.rollback-ok.
type TxRollbackOk struct{}

func (*TxRollbackOk) ID() ID         { return ClassTx<<16 | 31 }
func (*TxRollbackOk) fields(*fields) {}
