"""nats-py: core NATS, JetStream and key-value, as a Python service uses them."""
import asyncio
import sys

import nats
from nats.errors import NoRespondersError
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StreamConfig
from nats.js.errors import KeyWrongLastSequenceError, NotFoundError


def check(what, got, want):
    assert got == want, f"{what}: got {got!r}, want {want!r}"
    print("ok:", what)


async def core(url):
    a, b = await nats.connect(url, connect_timeout=30), await nats.connect(url, connect_timeout=30)
    sub = await a.subscribe("py.*.x")
    await a.flush()
    await b.publish("py.1.x", b"hello", headers={"Kind": "greeting"})
    m = await sub.next_msg(30)
    check("publish, subscribe, headers", (m.subject, m.data, m.headers["Kind"]), ("py.1.x", b"hello", "greeting"))

    async def answer(m):
        await m.respond(m.data.upper())
    await a.subscribe("py.upper", queue="workers", cb=answer)
    await b.subscribe("py.upper", queue="workers", cb=answer)
    await a.flush()
    await b.flush()
    check("request and reply", [(await a.request("py.upper", w.encode(), timeout=30)).data for w in ("a", "b", "c")], [b"A", b"B", b"C"])
    try:
        await a.request("py.nobody", b"", timeout=30)
        raise AssertionError("somebody answered")
    except NoRespondersError:
        print("ok: no responders")
    await sub.unsubscribe(limit=1)
    await a.drain()
    await b.drain()


async def streams(url):
    nc = await nats.connect(url, connect_timeout=30)
    js = nc.jetstream(timeout=30)
    await js.add_stream(StreamConfig(name="PY", subjects=["py.s.>"], duplicate_window=120, max_msgs_per_subject=1000))
    acks = [await js.publish(f"py.s.{i % 2}", str(i).encode(), headers={"Nats-Msg-Id": f"id-{i}"}) for i in range(10)]
    check("sequences", [a.seq for a in acks], list(range(1, 11)))
    again = await js.publish("py.s.0", b"0", headers={"Nats-Msg-Id": "id-0"})
    check("duplicate", (again.duplicate, again.seq), (True, 1))

    worker = await js.pull_subscribe("py.s.>", durable="worker", stream="PY", config=ConsumerConfig(ack_wait=60, max_deliver=5))
    msgs = await worker.fetch(4, timeout=30)
    check("fetch", [m.data for m in msgs], [b"0", b"1", b"2", b"3"])
    await msgs[0].ack_sync(timeout=30)
    await msgs[1].nak()
    await msgs[2].term()
    await msgs[3].in_progress()
    await msgs[3].ack_sync(timeout=30)
    back = await worker.fetch(1, timeout=30)
    check("nak redelivers", (back[0].data, back[0].metadata.num_delivered), (b"1", 2))
    await back[0].ack_sync(timeout=30)
    rest = await worker.fetch(6, timeout=30)
    check("the rest", [m.data for m in rest], [str(i).encode() for i in range(4, 10)])
    for m in rest:
        await m.ack_sync(timeout=30)
    info = await worker.consumer_info()
    check("nothing is pending", (info.num_pending, info.num_ack_pending, info.ack_floor.stream_seq), (0, 0, 10))

    odd = await js.subscribe("py.s.1", stream="PY", ordered_consumer=True)
    check("ordered push consumer with a filter", [(await odd.next_msg(30)).data for _ in range(5)], [b"1", b"3", b"5", b"7", b"9"])
    await odd.unsubscribe()
    push = await js.subscribe("py.s.>", durable="push", stream="PY", manual_ack=True,
                              config=ConsumerConfig(ack_policy=AckPolicy.ALL, flow_control=True, idle_heartbeat=5))
    got = [await push.next_msg(30) for _ in range(10)]
    await got[-1].ack_sync(timeout=30)
    check("push consumer, one ack for all", (await push.consumer_info()).ack_floor.stream_seq, 10)
    await push.unsubscribe()

    check("get message", (await js.get_msg("PY", 3)).data, b"2")
    check("get last of a subject", (await js.get_last_msg("PY", "py.s.1")).data, b"9")
    await js.delete_msg("PY", 3)
    try:
        await js.get_msg("PY", 3)
        raise AssertionError("a deleted message is there")
    except NotFoundError:
        print("ok: a deleted message is gone")
    await js.purge_stream("PY", subject="py.s.0")
    check("purge by subject", (await js.stream_info("PY")).state.messages, 5)
    await js.delete_stream("PY")

    await js.add_stream(StreamConfig(name="WORK", subjects=["py.w"], retention=RetentionPolicy.WORK_QUEUE))
    await js.publish("py.w", b"job")
    jobs = await js.pull_subscribe("py.w", durable="jobs", stream="WORK")
    await (await jobs.fetch(1, timeout=30))[0].ack_sync(timeout=30)
    check("a work queue forgets what is done", (await js.stream_info("WORK")).state.messages, 0)
    await js.delete_stream("WORK")
    await nc.close()


async def key_value(url):
    nc = await nats.connect(url, connect_timeout=30)
    js = nc.jetstream(timeout=30)
    kv = await js.create_key_value(bucket="py", history=5)
    rev = await kv.put("color", b"red")
    check("get", (await kv.get("color")).value, b"red")
    await kv.update("color", b"blue", last=rev)
    try:
        await kv.update("color", b"green", last=rev)
        raise AssertionError("an update from an old revision was taken")
    except KeyWrongLastSequenceError:
        print("ok: an update from an old revision is refused")
    check("history", [e.value for e in await kv.history("color")], [b"red", b"blue"])
    watcher = await kv.watchall()
    check("watch", (await watcher.updates(timeout=30)).value, b"blue")
    await watcher.stop()
    check("keys", await kv.keys(), ["color"])
    await kv.delete("color")
    try:
        await kv.get("color")
        raise AssertionError("a deleted key has a value")
    except NotFoundError:
        print("ok: delete")
    await js.delete_key_value("py")
    await nc.close()


async def main():
    url = "nats://" + sys.argv[1]
    await core(url)
    await streams(url)
    await key_value(url)

asyncio.run(main())
