"""pika: the work a RabbitMQ application does, with the blocking adapter."""
import sys
import uuid

import pika
from pika.exceptions import ChannelClosedByBroker, NackError, ProbableAuthenticationError, UnroutableError

host, port = sys.argv[1].split(":")


def connect(password="guest"):
    return pika.BlockingConnection(pika.ConnectionParameters(
        host, int(port), credentials=pika.PlainCredentials("guest", password), blocked_connection_timeout=30,
        socket_timeout=30, stack_timeout=60))


def check(what, got, want):
    assert got == want, f"{what}: got {got!r}, want {want!r}"
    print("ok:", what)


conn = connect()
ch = conn.channel()
ch.confirm_delivery()

# Declarations and a first message.
q = "pika-" + uuid.uuid4().hex
check("declare", ch.queue_declare(q, durable=True).method.message_count, 0)
ch.basic_publish("", q, b"one", pika.BasicProperties(
    content_type="text/plain", headers={"n": 1, "s": "text", "list": [1, "two", None], "t": {"deep": True}, "big": 2**40},
    delivery_mode=2, priority=3, correlation_id="c", reply_to="r", message_id="m", timestamp=1700000000, type="t", app_id="a"))
method, props, body = ch.basic_get(q)
check("body", body, b"one")
check("headers", props.headers, {"n": 1, "s": "text", "list": [1, "two", None], "t": {"deep": True}, "big": 2**40})
check("properties", (props.content_type, props.delivery_mode, props.priority, props.correlation_id, props.reply_to,
                     props.message_id, props.timestamp, props.type, props.app_id),
      ("text/plain", 2, 3, "c", "r", "m", 1700000000, "t", "a"))
ch.basic_nack(method.delivery_tag, requeue=True)
method, props, body = ch.basic_get(q, auto_ack=True)
check("redelivered", (body, method.redelivered), (b"one", True))
check("empty get", ch.basic_get(q)[0], None)

# Mandatory and confirms.
try:
    ch.basic_publish("", "no-such-queue", b"x", mandatory=True)
    raise AssertionError("an unroutable message was not returned")
except UnroutableError as e:
    check("return", e.messages[0].method.reply_code, 312)

# Pushed deliveries, prefetch, acks in bulk.
for i in range(20):
    ch.basic_publish("", q, str(i).encode())
ch.basic_qos(prefetch_count=5)
got = []
for method, props, body in ch.consume(q, inactivity_timeout=30):
    assert method, "no delivery"
    got.append(int(body))
    if len(got) % 5 == 0:
        ch.basic_ack(method.delivery_tag, multiple=True)
    if len(got) == 20:
        break
check("cancel requeues nothing", ch.cancel(), 0)
check("order", got, list(range(20)))

# Exchanges of every kind.
for kind, key, args in (("direct", "k", None), ("fanout", "", None), ("topic", "a.#", None),
                        ("headers", "", {"x-match": "all", "kind": "pdf"})):
    x, xq = f"{q}-{kind}", ch.queue_declare("", exclusive=True).method.queue
    ch.exchange_declare(x, kind)
    ch.queue_bind(xq, x, key, args)
    ch.basic_publish(x, key.replace("#", "b"), kind.encode(), pika.BasicProperties(headers={"kind": "pdf"}), mandatory=True)
    check(f"{kind} exchange", ch.basic_get(xq, auto_ack=True)[2], kind.encode())
    ch.queue_unbind(xq, x, key, args)
    ch.exchange_delete(x)

# A rejected message dies, is dead-lettered, and says why.
dead = ch.queue_declare("", exclusive=True).method.queue
w = ch.queue_declare("", exclusive=True, arguments={
    "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead, "x-max-length": 2, "x-overflow": "reject-publish"}).method.queue
ch.basic_publish("", w, b"bad")
ch.basic_reject(ch.basic_get(w)[0].delivery_tag, requeue=False)
while True:
    method, props, body = ch.basic_get(dead, auto_ack=True)
    if method:
        break
check("x-death", [(d["queue"], d["reason"], d["count"]) for d in props.headers["x-death"]], [(w, "rejected", 1)])
ch.basic_publish("", w, b"1")
ch.basic_publish("", w, b"2")
try:
    ch.basic_publish("", w, b"3")
    raise AssertionError("a full queue took a message")
except NackError:
    print("ok: a full queue nacks")
check("purge", ch.queue_purge(w).method.message_count, 2)

# Request and reply through the pseudo-queue.
server = ch.queue_declare("", exclusive=True).method.queue
client = conn.channel()
replies = []
client.basic_consume("amq.rabbitmq.reply-to", lambda c, m, p, b: replies.append(b), auto_ack=True)
client.basic_publish("", server, b"ping", pika.BasicProperties(reply_to="amq.rabbitmq.reply-to"))
while True:
    method, props, body = ch.basic_get(server, auto_ack=True)
    if method:
        break
ch.basic_publish("", props.reply_to, b"pong")
while not replies:
    conn.process_data_events(1)
check("direct reply-to", replies, [b"pong"])

# Errors close the channel and leave the connection.
for what, code, act in (
    ("a missing queue", 404, lambda c: c.basic_get("no-such-queue")),
    ("another declaration", 406, lambda c: c.queue_declare(q, durable=False)),
    ("an unknown delivery tag", 406, lambda c: (c.basic_ack(99), c.queue_declare(q, passive=True))),
    ("a reserved name", 403, lambda c: c.queue_declare("amq.mine")),
):
    c = conn.channel()
    try:
        act(c)
        raise AssertionError(f"{what} is no error")
    except ChannelClosedByBroker as e:
        check(what, e.reply_code, code)
try:
    connect(password="wrong")
    raise AssertionError("a wrong password was accepted")
except ProbableAuthenticationError:
    print("ok: a wrong password is refused")

check("delete", ch.queue_delete(q).method.message_count, 0)
conn.close()
