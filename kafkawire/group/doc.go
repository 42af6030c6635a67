// Package group is the classic consumer group protocol as a state machine:
// members join, one of them assigns, all get their part, and heartbeats keep
// them in. It does no I/O, starts no goroutine and reads no clock: every call is
// given the time, and what is to be done about it comes back from Take.
//
// # Journey of a rebalance
//
// A Join makes the group PreparingRebalance and is held. When every known
// member has joined, or the longest of their rebalance timeouts has passed, the
// generation goes up by one, the joins are answered (the leader's with
// everybody's metadata) and the group is CompletingRebalance. Syncs are held
// until the leader's brings the assignment; then it is Stable.
//
// Invariant: a member's join or sync is held at most once, and every held one
// is answered exactly once.
//
// Source: Apache Kafka 4.3.1, GroupMetadataManager and ClassicGroup;
// KIP-62, 345 (static members), 394 (member id first), 429, 814.
package group
