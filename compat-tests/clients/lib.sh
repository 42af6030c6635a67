# What the scripts of this folder share. They get the addresses (host:port) of the
# listeners in AMQP, KAFKA and NATS, say what they saw, and fail at the first thing
# that is not as the original system does it.
set -euo pipefail

fail() { echo "FAIL: $*" >&2; exit 1; }

# is WHAT GOT WANT
is() { [ "$2" = "$3" ] || fail "$1: got '$2', want '$3'"; echo "ok: $1"; }

# has WHAT TEXT PART
has() { case "$2" in *"$3"*) echo "ok: $1" ;; *) fail "$1: no '$3' in: $2" ;; esac; }

# soon WHAT COMMAND...: polls until the command succeeds.
soon() {
	local what=$1 i; shift
	for i in $(seq 600); do "$@" >/dev/null 2>&1 && { echo "ok: $what"; return; }; sleep 0.1; done
	fail "$what: never: $*"
}
