#!/usr/bin/env bash
# Apache Kafka's own tools (Java): topics, console producer and consumer, consumer groups, configs.
. "$(dirname "$0")/lib.sh"
tool() { local class=$1; shift; java -Xshare:auto -XX:TieredStopAtLevel=1 -cp "$KAFKA_LIB/*" "org.apache.kafka.tools.$class" --bootstrap-server "$KAFKA" "$@"; }

tool TopicCommand --create --topic java --partitions 2 --config retention.ms=3600000
has "topics --describe" "$(tool TopicCommand --describe --topic java)" "PartitionCount: 2"
has "topics --list" "$(tool TopicCommand --list)" java
out=$(tool TopicCommand --create --topic java 2>&1) && fail "a topic was made twice" || has "making a topic twice" "$out" "already exists"

printf 'k1:one\nk2:two\nk3:three\nk1:four\n' | tool ConsoleProducer --topic java --reader-property parse.key=true --reader-property key.separator=: \
	--command-property enable.idempotence=true --command-property acks=all
is "console consumer from the beginning, in a group" "$(tool consumer.ConsoleConsumer --topic java --from-beginning --group java-group --max-messages 4 --timeout-ms 60000 2>/dev/null | sort | xargs)" "four one three two"
is "per key in order" "$(tool consumer.ConsoleConsumer --topic java --from-beginning --max-messages 4 --timeout-ms 60000 --formatter-property print.key=true 2>/dev/null | grep ^k1 | cut -f2 | xargs)" "one four"

has "consumer groups --list" "$(tool consumer.group.ConsumerGroupCommand --list)" java-group
described=$(tool consumer.group.ConsumerGroupCommand --describe --group java-group)
is "consumer groups: nothing lags" "$(awk '$2 == "java" { lag += $6; n++ } END { print n, lag }' <<<"$described")" "2 0"
tool consumer.group.ConsumerGroupCommand --group java-group --topic java --reset-offsets --to-earliest --execute >/dev/null
described=$(tool consumer.group.ConsumerGroupCommand --describe --group java-group)
is "consumer groups: everything lags after a reset" "$(awk '$2 == "java" { lag += $6 } END { print lag }' <<<"$described")" 4
tool consumer.group.ConsumerGroupCommand --delete --group java-group >/dev/null
case "$(tool consumer.group.ConsumerGroupCommand --list)" in *java-group*) fail "the group is still there" ;; *) echo "ok: consumer groups --delete" ;; esac

tool TopicCommand --alter --topic java --partitions 3
has "topics --alter" "$(tool TopicCommand --describe --topic java)" "PartitionCount: 3"
tool TopicCommand --delete --topic java
soon "topics --delete" sh -c "! java -XX:TieredStopAtLevel=1 -cp '$KAFKA_LIB/*' org.apache.kafka.tools.TopicCommand --bootstrap-server $KAFKA --list | grep -qx java"
