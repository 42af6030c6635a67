package server

import (
	"encoding/json"
	"fmt"
	"sync"

	"trivium/auth"
	"trivium/core"
)

// usersRealm is where the default namespace keeps a document for each user that was changed: its name ->
// auth.User as JSON.
const usersRealm core.Realm = "auth"

// users are the Store's users, kept with everything else that is durable. A change holds for the
// next login, through every door, once it is on disk.
type users struct {
	*auth.Store
	broker *core.Broker
	// changing is held while one is decided and written.
	changing sync.Mutex
}

// load puts what is stored into the Store.
func (u *users) load() error {
	var bad error
	err := u.broker.Namespace(core.DefaultNamespace).Docs(usersRealm, "", func(name string, v []byte) bool {
		var user auth.User
		if bad = json.Unmarshal(v, &user); bad != nil {
			bad = fmt.Errorf("server: user %q: %w", name, bad)
			return false
		}
		u.Put(user)
		return true
	})
	if err != nil {
		return err
	}
	return bad
}

// Change has decide look at the users, and makes durable what it returns: a user to put, or, with a Hash
// of "", to remove. The user's namespace is made if it does not exist.
func (u *users) Change(decide func() (auth.User, error)) error {
	u.changing.Lock()
	defer u.changing.Unlock()
	user, err := decide()
	if err != nil {
		return err
	}
	remove := user.Hash == ""
	if remove && user.Name == auth.Guest {
		user.Gone, remove = true, false
	}
	err = u.broker.Committed(func(tx *core.Tx) error {
		var doc []byte
		if !remove {
			if doc, err = json.Marshal(user); err != nil {
				return err
			}
			if !user.Gone {
				u.broker.CreateNamespace(tx, user.Namespace)
			}
		}
		tx.SetDoc(u.broker.Namespace(core.DefaultNamespace), usersRealm, user.Name, doc)
		return nil
	})
	if err != nil {
		return err
	}
	if remove {
		u.Remove(user.Name)
	} else {
		u.Put(user)
	}
	return nil
}
