"""kafka-python: admin, idempotent producer, groups, seeks and offsets by time."""
import sys
import threading
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import NewPartitions, NewTopic
from kafka.errors import TopicAlreadyExistsError

server = sys.argv[1]
topic = "kafka-python"


def check(what, got, want):
    assert got == want, f"{what}: got {got!r}, want {want!r}"
    print("ok:", what)


admin = KafkaAdminClient(bootstrap_servers=server)
admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])
try:
    admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])
    raise AssertionError("a topic was made twice")
except TopicAlreadyExistsError:
    print("ok: a topic is made once")
check("listed", topic in admin.list_topics(), True)

producer = KafkaProducer(bootstrap_servers=server, acks="all", enable_idempotence=True, compression_type="gzip", linger_ms=5)
before = int(time.time() * 1000)
sent = [producer.send(topic, key=f"k{i % 7}".encode(), value=str(i).encode(), headers=[("n", str(i).encode())]) for i in range(100)]
places = [f.get(30) for f in sent]
check("offsets are dense", sorted((p.partition, p.offset) for p in places),
      [(p, o) for p in (0, 1) for o in range(sum(1 for x in places if x.partition == p))])


def consumer(**kw):
    return KafkaConsumer(bootstrap_servers=server, auto_offset_reset="earliest", consumer_timeout_ms=60000, **kw)


def take(c, n):
    got = []
    for m in c:
        got.append(m)
        if len(got) == n:
            break
    return got


c = consumer(group_id="py-group", enable_auto_commit=False)
c.subscribe([topic])
got = take(c, 100)
check("values", sorted(int(m.value) for m in got), list(range(100)))
check("headers", all(m.headers == [("n", m.value)] for m in got), True)
check("keys in order", [[int(m.value) for m in got if m.key == b"k3"]], [list(range(3, 100, 7))])
c.commit()
ends = c.end_offsets([TopicPartition(topic, 0), TopicPartition(topic, 1)])
check("committed", {tp: c.committed(tp) for tp in ends}, ends)
c.close()

producer.send(topic, value=b"late", partition=1).get(30)
c = consumer(group_id="py-group", enable_auto_commit=False)
c.subscribe([topic])
check("the group goes on where it was", [m.value for m in take(c, 1)], [b"late"])
tp = TopicPartition(topic, 0)
c.seek(tp, 3)
check("seek", next(m.offset for m in c if m.partition == 0), 3)
check("offsets by time", c.offsets_for_times({tp: before})[tp].offset, 0)
check("offsets by a time to come", c.offsets_for_times({tp: before + 3600000})[tp], None)
c.commit({tp: OffsetAndMetadata(2, "note", -1)})
check("commit of a chosen offset", c.committed(tp), 2)
c.close()

shares = {}


def member(name, stop):
    m = consumer(group_id="py-shared")
    m.subscribe([topic])
    while not stop.is_set():
        m.poll(100)
        shares[name] = sorted(p.partition for p in m.assignment())
    m.close()


stop = threading.Event()
members = [threading.Thread(target=member, args=(name, stop)) for name in ("a", "b")]
for m in members:
    m.start()
until = time.time() + 120
while time.time() < until and sorted(shares.values()) != [[0], [1]]:
    time.sleep(0.1)
stop.set()
for m in members:
    m.join()
check("a group shares the partitions", sorted(shares.values()), [[0], [1]])

check("groups", {"py-group", "py-shared"} <= {g["group_id"] for g in admin.list_groups()}, True)
admin.create_partitions({topic: NewPartitions(3)})
producer.close()
admin.delete_topics([topic])
until = time.time() + 120
while topic in admin.list_topics():
    assert time.time() < until, "the topic is still there"
print("ok: deleted")
admin.close()
