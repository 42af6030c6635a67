package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// proven remembers, per user, the last password that bcrypt accepted, as a
// digest under a key that lives as long as the process. So it is bounded by the
// number of users, and of no use to who reads the disk.
type proven struct {
	mu struct {
		sync.Mutex
		key     []byte
		digests map[string][]byte // by user
	}
	// hashing is held while bcrypt runs: a storm of wrong passwords takes one
	// core, not all.
	hashing sync.Mutex
}

// check reports whether password belongs to hash.
func (s *Store) check(name, hash, password string) bool {
	if len(password) > MaxPassword {
		return false
	}
	p := &s.proven
	if _, ok := p.digest(name, hash, password); ok {
		return true
	}
	return p.prove(name, hash, password)
}

// prove asks bcrypt, unless somebody else who came with the same password at the same time just did.
func (p *proven) prove(name, hash, password string) bool {
	p.hashing.Lock()
	defer p.hashing.Unlock()
	digest, ok := p.digest(name, hash, password)
	if ok {
		return true
	}
	if bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) != nil {
		return false
	}
	p.mu.Lock()
	p.mu.digests[name] = digest
	p.mu.Unlock()
	return true
}

// digest returns the digest of what was presented, and whether it is the one
// that was proven. The hash is part of it: with a new password the old one's
// proof is void.
func (p *proven) digest(name, hash, password string) ([]byte, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.key == nil {
		p.mu.key = make([]byte, sha256.Size)
		rand.Read(p.mu.key) // never fails
		p.mu.digests = make(map[string][]byte)
	}
	h := hmac.New(sha256.New, p.mu.key)
	h.Write([]byte(hash)) // of fixed length: no separator needed
	h.Write([]byte(password))
	d := h.Sum(nil)
	return d, hmac.Equal(d, p.mu.digests[name])
}
