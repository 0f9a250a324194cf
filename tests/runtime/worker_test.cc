// Workers with the real broker and real sockets.
#include "node/runtime/worker.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>

#include "tests/runtime/test_node.h"

namespace shoal {
namespace {

using std::string_literals::operator""s;

const std::string kUnavailable = "\x20\x02\0\3"s;
const std::string kDisconnect = "\xE0\0"s;

TestClient connected(TestNode& node, std::string_view client_id) {
  TestClient client(node.port());
  client.send(connect_packet(client_id));
  EXPECT_EQ(client.receive(kConnack.size()), kConnack);
  return client;
}

TestClient subscribed(TestNode& node, std::string_view client_id, std::string_view filter) {
  TestClient client = connected(node, client_id);
  client.send(subscribe_packet(filter));
  EXPECT_EQ(client.receive(kSuback.size()), kSuback);
  return client;
}

TEST(Worker, AMessageCrossesBetweenAllWorkers) {
  constexpr size_t kWorkers = 3;
  TestNode node({.workers = kWorkers});
  std::vector<TestClient> subscribers;
  for (size_t i = 0; i < 2 * kWorkers; ++i) {
    subscribers.push_back(subscribed(node, "s" + std::to_string(i), "a/+"));
  }
  for (size_t i = 0; i < kWorkers; ++i) {
    node.on_worker(i, [](Worker& worker) { EXPECT_GE(worker.socket_count(), 1u); });
  }
  TestClient publisher = connected(node, "p");
  const std::string message = publish_packet("a/b", "hello");
  publisher.send(message);
  for (TestClient& subscriber : subscribers) {
    EXPECT_EQ(subscriber.receive(message.size()), message);
  }
}

// From any worker, and while they go: nothing is lost, doubled or out of order.
TEST(Worker, PublishersGoToWhereTheirSubscriberIs) {
  Limits limits;
  limits.away_streak = 4;
  TestNode node({.workers = 2, .limits = limits});
  TestClient subscriber = subscribed(node, "s", "a/+");
  std::vector<TestClient> publishers;
  for (int i = 0; i < 6; ++i) publishers.push_back(connected(node, "p" + std::to_string(i)));
  const auto total_of = [&node](size_t worker) {
    size_t sockets = 0;
    node.on_worker(worker, [&](Worker& self) { sockets = self.socket_count(); });
    return sockets;
  };
  const auto is_gathered = [&] { return total_of(0) == 0 || total_of(1) == 0; };
  ASSERT_FALSE(is_gathered());
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  int round = 100;  // three digits
  for (; !is_gathered() && std::chrono::steady_clock::now() < give_up; ++round) {
    ASSERT_LT(round, 999);
    for (size_t i = 0; i < publishers.size(); ++i) {
      for (int k = 0; k < 4; ++k) {
        const std::string payload = std::to_string(round) + static_cast<char>('0' + k);
        publishers[i].send(publish_packet("a/" + std::to_string(i), payload));
      }
    }
    const size_t size = publish_packet("a/0", "1000").size();
    std::vector<std::string> of_each(publishers.size());
    for (size_t i = 0; i < 4 * publishers.size(); ++i) {
      const std::string packet = subscriber.receive(size);
      ASSERT_EQ(packet.size(), size);
      of_each[static_cast<size_t>(packet[size - 5] - '0')] += packet.substr(size - 4) + ' ';
    }
    const std::string r = std::to_string(round);
    for (const std::string& one : of_each) {
      ASSERT_EQ(one, r + "0 " + r + "1 " + r + "2 " + r + "3 ");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(is_gathered()) << round;
  EXPECT_EQ(node.ledger().total(), 7u);
  publishers.clear();
  while (node.ledger().total() != 1 && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(node.ledger().total(), 1u);
}

TEST(Worker, BytesCutAnywhereAndManyPacketsInOneRead) {  // [MQTT5-4.2-1]
  TestNode node({});
  TestClient subscriber = subscribed(node, "s", "#");
  TestClient publisher(node.port());
  for (const char byte : connect_packet("p")) {
    publisher.send({&byte, 1});
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(publisher.receive(kConnack.size()), kConnack);
  std::string many;
  for (int i = 0; i < 3'000; ++i) many += publish_packet("t", std::to_string(i));
  publisher.send(many);
  EXPECT_EQ(subscriber.receive(many.size()), many);
}

TEST(Worker, ASubscriberThatDoesNotReadGetsAllOnceItDoes) {
  TestNode node({});
  TestClient subscriber = subscribed(node, "s", "#");
  TestClient publisher = connected(node, "p");
  // Far more than the sockets of loopback hold, less than the limit of an output.
  const std::string message = publish_packet("t", std::string(100'000, 'x'));
  for (int i = 0; i < 30; ++i) publisher.send(message);
  publisher.send(kPing);
  EXPECT_EQ(publisher.receive(2), kPong);
  for (int i = 0; i < 30; ++i) ASSERT_EQ(subscriber.receive(message.size()), message);
}

TEST(Worker, AMalformedPacketClosesItsConnectionOnly) {
  TestNode node({});
  TestClient good = connected(node, "good");
  TestClient bad = connected(node, "bad");
  bad.send("\xF1\xFF\xFF\xFF\xFF");
  EXPECT_TRUE(bad.is_closed());
  good.send(kPing);
  EXPECT_EQ(good.receive(2), kPong);
}

// A reset would throw away the reason that was sent just before.
TEST(Worker, TheLastPacketArrivesAlthoughMoreWasSentThanRead) {
  TestNode node({});
  for (int i = 0; i < 20; ++i) {
    TestClient client(node.port());
    const std::string connect = "\x10\x0F\0\4MQTT\5\2\0\0\0\0\2ab"s;  // 5.0
    client.send(connect + "\x30\x01" + std::string(500'000, 'x'));
    const std::string answer = client.receive(100'000);
    ASSERT_GE(answer.size(), 4u);
    const std::string last = answer.substr(answer.find('\xE0'));
    EXPECT_EQ(last.substr(2, 1), "\x81") << "DISCONNECT, Malformed Packet";
  }
}

TEST(Worker, ConnectionsEndAndLeaveNothingBehind) {
  TestNode node({.workers = 2});
  for (int i = 0; i < 50; ++i) {
    TestClient client = connected(node, "c" + std::to_string(i));
    if (i % 2 == 0) {
      client.send(kDisconnect);
      EXPECT_TRUE(client.is_closed());
    }
  }
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (node.ledger().total() != 0 && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(node.ledger().total(), 0u);
  for (size_t i = 0; i < 2; ++i) {
    node.on_worker(i, [](Worker& worker) {
      EXPECT_EQ(worker.socket_count(), 0u);
      EXPECT_EQ(worker.broker().counters().connections_now, 0u);
      worker.broker().check_invariants();
    });
  }
}

TEST(Worker, OneConnectionTooManyIsRefused) {
  TestNode node({.connections_max = 2});
  TestClient first = connected(node, "a");
  {
    TestClient second = connected(node, "b");
    const Instant begin = mono_now();
    EXPECT_TRUE(TestClient(node.port()).is_closed());
    EXPECT_LT(mono_now() - begin, Limits{}.connect_timeout);
    TestClient is_3(node.port());
    is_3.send(connect_packet("c"));
    EXPECT_EQ(is_3.receive(kConnack.size() + 1), kUnavailable);
    TestClient is_5(node.port());
    is_5.send("\x10\x0F\0\4MQTT\5\2\0\0\0\0\2ab"s);
    EXPECT_EQ(is_5.receive(100).substr(3, 1), "\x97");
    first.send(kPing);
    EXPECT_EQ(first.receive(2), kPong);
  }
  // The place is free again once the second's end was noticed.
  for (int i = 0; i < 1'000; ++i) {
    TestClient third(node.port());
    third.send(connect_packet("c"));
    if (third.receive(kConnack.size()) == kConnack) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  FAIL();
}

// Those who are told of it are few, and only where that is cheap.
TEST(Worker, ManyTooManyAreClosedAtOnce) {
  TestNode node({.connections_max = 1});
  TestClient first = connected(node, "a");
  std::vector<TestClient> silent;
  for (uint32_t i = 0; i < ConnectionLedger::kTurnedAwayMax; ++i) silent.emplace_back(node.port());
  const Instant begin = mono_now();
  TestClient too_many(node.port());
  too_many.send(connect_packet("c"));
  EXPECT_EQ(too_many.receive(kConnack.size()), "");
  for (TestClient& each : silent) EXPECT_TRUE(each.is_closed());
  EXPECT_LT(mono_now() - begin, Limits{}.connect_timeout);
  TestClient after(node.port());
  after.send(connect_packet("c"));
  EXPECT_EQ(after.receive(kConnack.size()), kUnavailable);
  EXPECT_EQ(node.ledger().total(), 1u);
}

// Without descriptors: the worker does not spin meanwhile, and accepts once there are some.
TEST(Worker, ConnectionsWaitWhileThereAreNoDescriptors) {
  TestNode node({});
  TestClient first = connected(node, "first");
  // The undefined-behaviour sanitizer looks at an object's type once, and needs a descriptor for it.
  node.log()(LogLevel::kError, "the descriptors run out");
  FileDescriptor client(::socket(AF_INET, SOCK_STREAM, 0));
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(client.get()) + 1;  // the lowest that is free is above it
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(node.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  TestClient second(std::move(client));
  second.send(connect_packet("second"));
  const uint64_t turns_before = node.turns();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const uint64_t turns = node.turns() - turns_before;
  first.send(kPing);
  EXPECT_EQ(first.receive(2), kPong);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(second.receive(kConnack.size()), kConnack);
  EXPECT_LT(turns, 100u);
}

TEST(Worker, ASilentConnectionIsClosedInTime) {
  Limits limits;
  limits.connect_timeout = Duration::millis(200);
  TestNode node({.limits = limits});
  EXPECT_TRUE(TestClient(node.port()).is_closed());
}

TEST(Worker, AcceptedSocketsHaveNoDelay) {
  TestNode node({});
  TestClient client = connected(node, "c");
  // The worker's end: the only other TCP socket of this process that is connected to the client.
  sockaddr_in own{};
  socklen_t size = sizeof own;
  ::getsockname(client.fd(), reinterpret_cast<sockaddr*>(&own), &size);
  int found = 0;
  for (int fd = 3; fd < 256; ++fd) {
    sockaddr_in peer{};
    size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
    if (peer.sin_family != AF_INET || peer.sin_port != own.sin_port) continue;
    int no_delay = 0;
    size = sizeof no_delay;
    ::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size);
    EXPECT_EQ(no_delay, 1);
    ++found;
  }
  EXPECT_EQ(found, 1);
}

bool is_refused(uint16_t port) {
  const FileDescriptor client(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
         errno == ECONNREFUSED;
}

void drain(TestNode& node, size_t workers, double per_second) {
  for (size_t i = 0; i < workers; ++i) node.worker(i).post(ToWorker(Drain{per_second}));
  for (size_t i = 0; i < workers; ++i) node.on_worker(i, [](Worker&) {});
}

TEST(Worker, WhileDrainingTheBalancersListenerIsClosed) {
  constexpr uint16_t kDirect = 0;
  constexpr uint16_t kBalanced = 1;
  TestNode node({.workers = 2, .transports = {{}, {}}, .behind_balancer = {kBalanced}});
  for (int round = 0; round < 3; ++round) {
    drain(node, 2, 1e-6);
    EXPECT_TRUE(is_refused(node.port(kBalanced)));
    TestClient told(node.port(kDirect));
    told.send(connect_packet("told"));
    EXPECT_EQ(told.receive(kConnack.size()), kUnavailable);
    drain(node, 2, 0);
    TestClient back(node.port(kBalanced));
    back.send(connect_packet("back"));
    EXPECT_EQ(back.receive(kConnack.size()), kConnack);
  }
}

TEST(Worker, WhoWaitsToBeAcceptedWhenDrainingBeginsIsAnswered) {
  TestNode node({.transports = {{}}, .behind_balancer = {0}});
  std::optional<TestClient> waiting;
  // Taken together: the worker looks at its sockets before and after.
  std::vector<WorkerMail> mails;
  mails.emplace_back(WorkerTask([&](Worker&) { waiting.emplace(node.port()); }));
  mails.emplace_back(ToWorker(Drain{1e-6}));
  node.worker(0).post_all(mails);
  node.on_worker(0, [](Worker&) {});
  waiting->send(connect_packet("waiting"));
  EXPECT_EQ(waiting->receive(kConnack.size()), kUnavailable);
  EXPECT_TRUE(is_refused(node.port()));
}

TEST(Worker, WhenAWorkerStillAcceptsTheListenerIsOpen) {
  TestNode node({.workers = 2, .transports = {{}}, .behind_balancer = {0}});
  node.worker(0).post(ToWorker(Drain{1e-6}));
  node.on_worker(0, [](Worker&) {});
  EXPECT_FALSE(is_refused(node.port()));
  node.worker(1).post(ToWorker(Drain{1e-6}));
  node.on_worker(1, [](Worker&) {});
  EXPECT_TRUE(is_refused(node.port()));
}

TEST(Worker, ShuttingDownRefusesConnections) {
  TestNode node({});
  node.on_worker(0, [](Worker& worker) { worker.stop_accepting(); });
  EXPECT_TRUE(is_refused(node.port()));
}

TEST(Worker, ShuttingDownSaysGoodbyeToAll) {
  TestNode node({});
  std::vector<TestClient> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(connected(node, "c" + std::to_string(i)));
  node.on_worker(0, [](Worker& worker) {
    worker.stop_accepting();
    worker.broker().shut_down(now());
  });
  for (TestClient& client : clients) EXPECT_TRUE(client.is_closed());
}

}  // namespace
}  // namespace shoal
