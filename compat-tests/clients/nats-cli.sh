#!/usr/bin/env bash
# The nats CLI: publish and subscribe, request and reply, streams, consumers, key-value, bench.
. "$(dirname "$0")/lib.sh"
export XDG_CONFIG_HOME=$TMP/config NATS_TIMEOUT=30s
n() { timeout 120 nats -s "nats://$NATS" --no-context "$@"; }

n sub news --count 1 --raw >"$TMP/news" & sub=$!
for i in $(seq 200); do kill -0 $sub 2>/dev/null || break; n pub news hello -H From:cli >/dev/null 2>&1; done
wait $sub
is "publish and subscribe" "$(cat "$TMP/news")" hello

timeout 120 nats -s "nats://$NATS" --no-context reply greet 'hello {{Request}}' >/dev/null 2>&1 & reply=$!
for i in $(seq 100); do answer=$(n req greet world --raw --timeout 1s 2>/dev/null) && [ -n "$answer" ] && break; done
kill $reply; wait $reply || true
is "request and reply" "$answer" 'hello world'
has "no responders" "$(n req nobody x 2>&1 || true)" "No responders"

n stream add ORDERS --subjects 'orders.>' --storage file --defaults >/dev/null
for i in 1 2 3; do n pub "orders.$i" "order $i" --jetstream >/dev/null 2>&1 || n pub "orders.$i" "order $i" >/dev/null 2>&1; done
is "stream info counts" "$(n stream info ORDERS --json | tr -d ' \n' | grep -o '"messages":[0-9]*')" '"messages":3'
has "stream ls" "$(n stream ls --names)" ORDERS
has "stream get" "$(n stream get ORDERS 2 2>&1)" "order 2"
has "stream subjects" "$(n stream subjects ORDERS)" "orders.3"

n consumer add ORDERS worker --pull --defaults >/dev/null
is "consumer next" "$(n consumer next ORDERS worker --raw --ack 2>/dev/null)" "order 1"
is "consumer next goes on" "$(n consumer next ORDERS worker --raw --ack 2>/dev/null)" "order 2"
is "consumer info counts" "$(n consumer info ORDERS worker --json | tr -d ' \n' | grep -o '"num_pending":[0-9]*')" '"num_pending":1'
n stream purge ORDERS -f >/dev/null
is "stream purge" "$(n stream info ORDERS --json | tr -d ' \n' | grep -o '"messages":[0-9]*')" '"messages":0'
n consumer rm ORDERS worker -f
n stream rm ORDERS -f
case "$(n stream ls --names 2>&1)" in *ORDERS*) fail "the stream is still there" ;; *) echo "ok: stream rm" ;; esac

n kv add settings --history 5 >/dev/null
n kv put settings color red >/dev/null
n kv put settings color blue >/dev/null
is "kv get" "$(n kv get settings color --raw)" blue
has "kv ls" "$(n kv ls settings)" color
has "kv history" "$(n kv history settings color)" red
n kv create settings color green >/dev/null 2>&1 && fail "kv create overwrote a key" || echo "ok: kv create of a key that exists is refused"
n kv del settings color -f >/dev/null
n kv get settings color >/dev/null 2>&1 && fail "a deleted key has a value" || echo "ok: kv del"
n kv rm settings -f 2>/dev/null || n kv del settings -f

n bench sub bench --clients 1 --msgs 10000 --size 128 --no-progress >"$TMP/sub" 2>&1 & sub=$!
for i in $(seq 50); do # the tool does not say when it listens
	kill -0 $sub 2>/dev/null || break
	has "bench pub" "$(n bench pub bench --clients 1 --msgs 10000 --size 128 --no-progress 2>&1)" "msgs/sec"
done
wait $sub
has "bench sub" "$(cat "$TMP/sub")" "msgs/sec"
has "bench js pub" "$(n bench js pub async js.bench --create --purge --storage file --msgs 2000 --size 128 --clients 1 --no-progress 2>&1)" "msgs/sec"
has "bench js consume" "$(n bench js fetch --msgs 2000 --clients 1 --no-progress 2>&1)" "msgs/sec"
