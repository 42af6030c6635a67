// Package auth keeps identities, credentials and permissions: one store, three
// views. Each door asks it who a connection acts for, with what its protocol
// carried: a name and password, or nothing.
//
// A Store's zero value is ready: it knows the user guest, an administrator who may log in from
// this machine only. Package server keeps what is put into it on disk. Passwords
// are kept as bcrypt hashes. A password that was
// right once is remembered as a keyed digest, so that bcrypt costs the first
// connection of a user and not each one.
package auth
