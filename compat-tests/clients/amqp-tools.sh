#!/usr/bin/env bash
# The command line tools of rabbitmq-c: amqp-declare-queue, -publish, -get, -consume, -delete-queue.
. "$(dirname "$0")/lib.sh"
url=amqp://guest:guest@$AMQP/%2f

is "declare-queue says the name" "$(amqp-declare-queue -u "$url" -d -q tools)" tools
amqp-publish -u "$url" -r tools -p -b 'hello world'
is "get" "$(amqp-get -u "$url" -q tools)" 'hello world'
amqp-get -u "$url" -q tools >/dev/null && fail "get from an empty queue succeeded" || is "get from an empty queue exits with 2" $? 2

for i in 1 2 3; do amqp-publish -u "$url" -r tools -C text/plain -b "$i;"; done
is "consume with prefetch" "$(amqp-consume -u "$url" -q tools -c 3 -p 1 cat)" '1;2;3;'

# amqp-consume with an exchange binds a queue of its own, named by the server. The
# publisher does not know when: it publishes until the consumer has enough.
amqp-consume -u "$url" -e amq.topic -r 'eu.*.created' -c 1 cat >"$TMP/bound" & consumer=$!
for i in $(seq 200); do
	kill -0 $consumer 2>/dev/null || break
	amqp-publish -u "$url" -e amq.topic -r eu.order.created -b routed
	amqp-publish -u "$url" -e amq.topic -r us.order.created -b elsewhere
done
wait $consumer
is "consume from a topic exchange" "$(cat "$TMP/bound")" routed

for i in 1 2; do amqp-publish -u "$url" -r tools -b x; done
is "delete-queue counts" "$(amqp-delete-queue -u "$url" -q tools)" 2
amqp-get -u "$url" -q tools 2>"$TMP/err" && fail "get from a deleted queue succeeded"
has "get from a deleted queue" "$(cat "$TMP/err")" "404"
amqp-get -u "amqp://guest:wrong@$AMQP/%2f" -q tools 2>"$TMP/err" && fail "a wrong password was accepted"
echo "ok: a wrong password is refused: $(head -1 "$TMP/err")"
