package auth

import (
	"errors"
	"net"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

func addr(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 40000} }

func TestGuestIsLocal(t *testing.T) {
	var s Store
	for ip, want := range map[string]bool{
		"127.0.0.1": true, "127.8.9.10": true, "::1": true, "::ffff:127.0.0.1": true,
		"10.0.0.1": false, "::ffff:10.0.0.1": false, "fe80::1": false, "0.0.0.0": false,
	} {
		id, err := s.Login("guest", "guest", addr(ip))
		if want != (err == nil) {
			t.Errorf("guest from %s: %v", ip, err)
		}
		if err == nil && (id.User != "guest" || id.Namespace != "default") {
			t.Errorf("guest is %+v", id)
		}
	}
	if _, err := s.Login("guest", "guest", nil); !errors.Is(err, ErrRefused) {
		t.Errorf("from nowhere: %v", err)
	}
}

func TestRefused(t *testing.T) {
	var s Store
	if err := s.Add("ann", "secret", "shop"); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"guest", "Guest"}, {"guest", ""}, {"", ""}, {"bob", "guest"}, {"ann", "guest"}, {"ann", strings.Repeat("x", MaxPassword+1)}} {
		if _, err := s.Login(c[0], c[1], addr("127.0.0.1")); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", c, err)
		}
	}
}

func TestAddedUser(t *testing.T) {
	var s Store
	if err := s.Add("ann", "secret", "shop"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // by bcrypt, then from memory
		id, err := s.Login("ann", "secret", addr("192.0.2.1"))
		if err != nil || *id != (Identity{User: "ann", Namespace: "shop"}) {
			t.Fatalf("%+v, %v", id, err)
		}
	}
	if err := s.Add("", "x", ""); err == nil {
		t.Error("a user without a name was added")
	}
	if err := s.Add("long", strings.Repeat("x", MaxPassword+1), ""); err == nil {
		t.Error("a password that bcrypt would cut was added")
	}
}

// A changed password makes the old one's proof void.
func TestChangedPassword(t *testing.T) {
	var s Store
	for _, password := range []string{"one", "two"} {
		if err := s.Add("guest", password, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Login("guest", password, addr("192.0.2.1")); err != nil {
			t.Fatal(err)
		}
	}
	for _, password := range []string{"one", "guest"} {
		if _, err := s.Login("guest", password, addr("127.0.0.1")); err == nil {
			t.Errorf("the old password %q still works", password)
		}
	}
}

func TestProvenOnce(t *testing.T) {
	var s Store
	if _, ok := s.proven.digest("guest", guest.Hash, "guest"); ok {
		t.Fatal("proven before any login")
	}
	if _, err := s.Login("guest", "guest", addr("::1")); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.proven.digest("guest", guest.Hash, "guest"); !ok {
		t.Error("bcrypt would run again")
	}
	if _, ok := s.proven.digest("guest", guest.Hash, "other"); ok {
		t.Error("a wrong password is proven")
	}
	if n, err := bcrypt.Cost([]byte(guest.Hash)); err != nil || n != bcrypt.DefaultCost {
		t.Errorf("guest's hash costs %d, %v", n, err)
	}
}

// Of those who come with the same password at the same time, one waits for bcrypt.
func TestProvenTogether(t *testing.T) {
	var s Store
	const hash = "nothing that bcrypt accepts"
	if s.proven.prove("ann", hash, "secret") {
		t.Fatal("proven by nobody")
	}
	s.proven.mu.digests["ann"], _ = s.proven.digest("ann", hash, "secret") // while prove waited
	if !s.proven.prove("ann", hash, "secret") || s.proven.prove("ann", hash, "other") {
		t.Error("bcrypt ran again, or not for another password")
	}
}

// A user that is removed while it logs in does not stay; who left is not ended.
func TestHold(t *testing.T) {
	var s Store
	if err := s.Add("ann", "secret", ""); err != nil {
		t.Fatal(err)
	}
	ended := map[string]int{}
	end := func(what string) func() { return func() { ended[what]++ } }
	release := s.Hold("ann", end("released"))
	s.Hold("ann", end("held"))
	s.Hold(Guest, end("guest"))
	release()
	s.Remove("ann")
	s.Hold("ann", end("late"))
	s.Remove("ann")
	if ended["held"] != 1 || ended["late"] != 1 || len(ended) != 2 {
		t.Error(ended)
	}
	s.Put(User{Name: Guest, Gone: true})
	if ended["guest"] != 1 {
		t.Error(ended)
	}
}
