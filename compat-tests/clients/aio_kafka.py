"""aiokafka: an asyncio producer and a group."""
import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic


def check(what, got, want):
    assert got == want, f"{what}: got {got!r}, want {want!r}"
    print("ok:", what)


async def main(server):
    admin = AIOKafkaAdminClient(bootstrap_servers=server)
    await admin.start()
    await admin.create_topics([NewTopic("aiokafka", num_partitions=2, replication_factor=1)])

    async with AIOKafkaProducer(bootstrap_servers=server, enable_idempotence=True, acks="all") as producer:
        for i in range(50):
            await producer.send_and_wait("aiokafka", str(i).encode(), key=str(i % 5).encode())

    async with AIOKafkaConsumer("aiokafka", bootstrap_servers=server, group_id="aio", auto_offset_reset="earliest",
                                enable_auto_commit=False) as consumer:
        got = [await asyncio.wait_for(consumer.getone(), 30) for _ in range(50)]
        check("values", sorted(int(m.value) for m in got), list(range(50)))
        check("keys in order", [int(m.value) for m in got if m.key == b"2"], list(range(2, 50, 5)))
        await consumer.commit()
        tps = [TopicPartition("aiokafka", p) for p in (0, 1)]
        check("committed", {tp: await consumer.committed(tp) for tp in tps}, await consumer.end_offsets(tps))
    await admin.delete_topics(["aiokafka"])
    await admin.close()

asyncio.run(main(sys.argv[1]))
