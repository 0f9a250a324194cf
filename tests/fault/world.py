"""The devices around the nodes, from the first subscription to the last delivery."""
import asyncio

from devices import Absent, Keeper, Live, Mortal, Publisher, Subscriber
from history import now

QUIET_S = 3


class World:
    RATE = 25        # messages a second of one publisher
    PUBLISHERS, DURABLE, ABSENT, MORTALS = 8, 4, 2, 6
    ONLINE_S = 2, 12  # a connection of a durable subscriber
    MORTAL_S = 4, 15  # a connection of a client with a will
    FINISH_S = 30    # for what publishers have open when the faults have ended

    def __init__(self, nodes, seed, history, drain_s):
        """`drain_s`: for what waits in sessions."""
        self.nodes, self.seed, self.history, self.drain_s = nodes, seed, history, drain_s
        self.publishers, self.durable, self.lives, self.mortals = [], [], [], []

    async def start_subscribers(self):
        self.durable = [Subscriber(self, f"durable{n}", 1 + n % 2).start() for n in range(self.DURABLE)]
        self.durable += [Absent(self, f"absent{n}", 1 + n % 2).start() for n in range(self.ABSENT)]
        self.lives = [Live(self, f"live-{node.name}", 1 + n % 2, node).start() for n, node in enumerate(self.nodes)]
        await asyncio.wait_for(asyncio.gather(*(each.subscribed.wait() for each in self.durable + self.lives)), 20)

    def start_others(self):
        self.publishers = [Publisher(self, f"pub{n}", 1 + n % 2, self.RATE).start() for n in range(self.PUBLISHERS)]
        self.publishers.append(Keeper(self, "keeper", 1, self.RATE).start())
        self.mortals = [Mortal(self, f"mortal{n}", 1 + n % 2).start() for n in range(self.MORTALS)]

    async def finish(self):
        """Ends the load; what publishers could not finish."""
        for each in self.publishers:
            each.stopping = True
        await asyncio.wait([each.task for each in self.publishers], timeout=self.FINISH_S)
        unfinished = [f"{each.name} has {len(each.open)} open" for each in self.publishers if not each.task.done()]
        for each in self.mortals:
            each.stopping = True
            each.task.cancel()
            if each.link:
                each.link.drop()
        return unfinished

    def wills_missing(self):
        due = [payload for mortal in self.mortals for payload, will in mortal.wills.items() if will[0] == "due"]
        return any(not each.seen[payload] for each in self.durable for payload in due)

    async def drain(self):
        """Everyone comes back and gets what is left, until nothing more comes."""
        for each in self.durable:
            each.staying = True
        end = now() + self.drain_s
        due = [f"{name} {number}" for name, number in self.history.acked if not name.startswith("keeper")]
        while now() < end:
            await asyncio.sleep(0.5)
            online = all(each.link.ended is None for each in self.durable)
            quiet = all(now() - each.heard > QUIET_S for each in self.durable)
            if online and quiet and not self.wills_missing() and all(each.seen[p] for each in self.durable for p in due):
                return

    def stop(self):
        for each in self.publishers + self.durable + self.lives + self.mortals:
            each.task.cancel()
            if each.link:
                each.link.drop()
