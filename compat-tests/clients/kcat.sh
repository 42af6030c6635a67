#!/usr/bin/env bash
# kcat (librdkafka): metadata, produce with keys, headers and every codec, consume, groups, offsets.
. "$(dirname "$0")/lib.sh"
k() { timeout 120 kcat -m 30 -b "$KAFKA" -X topic.metadata.refresh.interval.ms=500 "$@"; }

has "metadata" "$(k -L)" "broker "
printf 'a:1\nb:2\nc:3\n' | k -P -t kcat -K: -H source=kcat -X enable.idempotence=true
is "consume to the end" "$(k -C -t kcat -e -q -o beginning -f '%k=%s %h;')" 'a=1 source=kcat;b=2 source=kcat;c=3 source=kcat;'
is "consume from an offset" "$(k -C -t kcat -p 0 -o 1 -e -q -c 1 -f '%o:%s')" '1:2'
is "consume from the tail" "$(k -C -t kcat -p 0 -o -1 -e -q)" 3
for codec in gzip snappy lz4 zstd; do
	seq 100 | k -P -t "kcat-$codec" -z $codec
	is "$codec comes back" "$(k -C -t "kcat-$codec" -e -q -o beginning | md5sum)" "$(seq 100 | md5sum)"
done
is "a null value" "$(printf 'gone:\n' | k -P -t kcat-null -K: -Z && k -C -t kcat-null -e -q -o beginning -f '%k %S')" 'gone -1'
is "a group reads all" "$(k -G kcat-group -q -o beginning -e kcat -f '%s ' 2>/dev/null)" '1 2 3 '
printf 'd:4\n' | k -P -t kcat -K:
is "a group goes on where it was" "$(k -G kcat-group -q -e kcat -f '%s ' 2>/dev/null)" '4 '
has "offsets by time" "$(k -Q -t kcat:0:-1)" "kcat [0] offset 4"
has "offsets by time" "$(k -Q -t kcat:0:-2)" "kcat [0] offset 0"
has "JSON metadata" "$(k -L -J -t kcat)" '"topic":"kcat"'
head -c 900000 /dev/urandom | base64 -w0 >"$TMP/big"
k -P -t kcat-big -X message.max.bytes=2000000 "$TMP/big" && fail "a record beyond max.message.bytes was stored" || echo "ok: a record that is too large is refused"
head -c 600000 "$TMP/big" >"$TMP/fits"
k -P -t kcat-big "$TMP/fits"
is "a large record" "$(k -C -t kcat-big -e -q -o beginning -c 1 -D '' | md5sum)" "$(md5sum <"$TMP/fits")"
