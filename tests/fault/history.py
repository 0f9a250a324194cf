"""What the devices saw: the ground of the judgement. Every packet and every end of a connection is also a line of a file, as
time in seconds, device, node, direction, what, body: for who looks for the reason."""
import asyncio
import collections


def now():
    return asyncio.get_running_loop().time()


class History:
    def __init__(self, events=None):
        self.events = events  # the open file
        self.sent = {}    # message -> when it was first sent; a message is (publisher, number)
        self.acked = {}   # message -> when PUBACK or PUBREC came
        self.ack_times = {}  # publisher -> when each of its acknowledgements came
        self.broken = []  # what a device saw that must not be, at once
        self.codes = collections.Counter()  # refusals, by packet and Reason Code
        self.started = now()

    def at(self, time):
        return f"{time - self.started:.2f}"

    def record(self, device, node, direction, what, body):
        if self.events:
            self.events.write(f"{now() - self.started:.4f} {device} {node} {direction} {what} {body!r}\n")

    def on_sent(self, message):
        self.sent.setdefault(message, now())

    def on_acked(self, message):
        time = now()
        self.ack_times.setdefault(message[0], []).append(time)
        self.acked.setdefault(message, time)

    def on_broken(self, what):
        self.broken.append(f"{self.at(now())} s: {what}")
        self.record("-", "-", "!", "BROKEN", what)
        print(f"BROKEN {self.broken[-1]}", flush=True)

    def longest_silence(self, names, begin, end):
        """The longest time in [begin, end] without an acknowledgement for any of these publishers."""
        inside = sorted(t for name in names for t in self.ack_times.get(name, ()) if begin < t < end)
        times = [begin, *inside, end]
        return max(b - a for a, b in zip(times, times[1:]))
