// Random histories of sessions, publishers that submit again, and clients that acknowledge late or lose
// their connection: the shard against the oracle, and a second replica that lags, restarts and is
// copied against the first.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "shoal/random.h"
#include "tests/shard/oracle.h"
#include "tests/shard/shard_fixture.h"

namespace shoal::shard {
namespace {

const std::vector<std::string> kIds = {"alice", "bob", "carol", "dave"};
const std::vector<std::string> kTopics = {"a", "a/b", "b", "$x"};
const std::vector<std::string> kFilters = {"a", "a/b", "a/+", "#", "b", "$x"};

// A client as the specification has it, with what it knows across connections.
struct Client {
  OpPlace epoch = 0;  // 0: not connected
  uint64_t read_to = 0;
  std::deque<uint64_t> unsent_acks;  // of this connection
  std::map<uint64_t, std::string> payloads;
  std::set<uint64_t> open;  // QoS 2: PUBLISH received, PUBREL not
  std::set<std::string> seen;
  std::vector<std::string> received;
};

class History {
 public:
  explicit History(uint64_t seed) : random_(seed), limits_(limits_of(seed)), oracle_(limits_) {
    EntryBuilder entry(first_.stamp);
    entry.add(LimitsOp{limits_});
    apply(entry.finish());
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      step();
      compare();
      if (random_.one_in(4)) follow();
    }
    drain();
    check_received();
    while (follower_at_ < log_.size()) follow();
    EXPECT_TRUE(follower_.values == first_.values);
  }

 private:
  static ShardLimits limits_of(uint64_t seed) {
    return {.queued_max = seed % 3 == 0 ? 1'000'000u : 12u, .rejects_new = seed % 3 == 1};
  }
  const std::string& any(const std::vector<std::string>& of) {
    return of[random_.below(of.size())];
  }
  Effects apply(std::string bytes) {
    log_.push_back(bytes);
    effects_.push_back(first_.apply_bytes(bytes));
    if (random_.one_in(40)) first_.restart();
    return effects_.back();
  }
  template <class AnyOp>
  Effects apply_op(const AnyOp& op) {
    EntryBuilder entry(first_.stamp);
    entry.add(op);
    return apply(entry.finish());
  }

  void step() {
    if (random_.one_in(6)) {
      first_.stamp += random_.below(4'000);
      apply_op(TickOp{});
    }
    oracle_.advance(first_.stamp);
    const std::string& id = any(kIds);
    switch (random_.below(12)) {
      case 0: return connect(id);
      case 1: return detach(id);
      case 2: return subscribe(id);
      case 3: return unsubscribe(id);
      case 4:
      case 5:
      case 6: return publish();
      case 7:
      case 8: return read(id);
      default: return acknowledge(id);
    }
  }

  void connect(const std::string& id) {
    ConnectOp op = connect_op(id);
    op.receive_maximum = static_cast<uint16_t>(1 + random_.below(2));
    op.clean_start = random_.one_in(8);
    op.expiry_s = random_.one_in(10) ? 0 : 5;
    const bool ends = oracle_.sessions.contains(id) && oracle_.sessions[id].expiry_s == 0;
    const bool present = oracle_.sessions.contains(id) && !op.clean_start && !ends;
    oracle_.connect(id, op.receive_maximum, op.expiry_s, op.clean_start || ends);
    const Effects effects = apply_op(op);
    EXPECT_EQ(effects.connected.at(0).session_present, present);
    Client& client = clients_[id];
    client.epoch = effects.connected[0].epoch;
    client.read_to = 0;
    // An acknowledgement of the old connection may still be on its way.
    if (random_.one_in(2)) client.unsent_acks.clear();
    for (const uint64_t ack : client.unsent_acks) {
      apply_op(AckOp{id, effects.connected[0].epoch - 1, {ack}});
    }
    client.unsent_acks.clear();
    if (!present) client.open.clear();
  }

  void detach(const std::string& id) {
    Client& client = clients_[id];
    if (client.epoch == 0) return;
    oracle_.detach(id);
    apply_op(DetachOp{.client_id = id, .epoch = client.epoch});
    client.epoch = 0;
    client.unsent_acks.clear();
  }

  void subscribe(const std::string& id) {
    if (clients_[id].epoch == 0) return;
    const FilterSpec spec{.filter = any(kFilters), .qos = static_cast<Qos>(random_.below(3))};
    oracle_.sessions.at(id).filters[std::string(spec.filter)] = spec.qos;
    apply_op(SubscribeOp{id, clients_[id].epoch, {spec}});
  }

  void unsubscribe(const std::string& id) {
    if (clients_[id].epoch == 0) return;
    const std::string& filter = any(kFilters);
    oracle_.sessions.at(id).filters.erase(filter);
    apply_op(UnsubscribeOp{id, clients_[id].epoch, {filter}});
  }

  // Of one worker, whose leader may change at any time: it submits again what it is not sure of, and
  // what is behind a gap comes to nothing.
  void publish() {
    const std::string payload = std::to_string(++published_);
    const std::string& topic = any(kTopics);
    OracleMessage expected{payload, static_cast<Qos>(1 + random_.below(2))};
    MessageSpec spec = message(topic, payload, expected.qos);
    if (random_.one_in(3)) {
      spec.expiry_s = 1 + static_cast<uint32_t>(random_.below(5));
      expected.expires_at = first_.stamp + *spec.expiry_s * 1000;
    }
    EntryBuilder entry(first_.stamp);
    if (random_.one_in(5)) entry.add(PublishOp{spec}, Source{kNodeA, 1, 0, published_ + 1});
    entry.add(PublishOp{spec}, Source{kNodeA, 1, 0, published_});
    if (random_.one_in(3)) entry.add(PublishOp{spec}, Source{kNodeA, 1, 0, published_});
    oracle_.publish(topic, expected);
    apply(entry.finish());
    if (random_.one_in(5)) {
      EntryBuilder again(first_.stamp);
      again.add(PublishOp{spec}, Source{kNodeA, 1, 0, 1 + random_.below(published_)});
      apply(again.finish());
    }
  }

  // The client gets its next message, and writes down what it answers.
  void read(const std::string& id) {
    Client& client = clients_[id];
    if (client.epoch == 0) return;
    const auto next = first_.state->deliveries(id, client.read_to, {.items = 1});
    if (next.empty()) return;
    client.read_to = next[0].number + 1;
    client.unsent_acks.push_back(answer(client, next[0]));
  }

  uint64_t answer(Client& client, const Delivery& delivery) {
    const uint64_t number = delivery.number;
    if (delivery.released) {
      client.open.erase(number);
      return AckOp::ack(number, AckKind::kPubcomp);
    }
    const std::string& payload = delivery.message.payload;
    client.payloads[number] = payload;
    const bool repeated = client.seen.contains(payload);
    EXPECT_TRUE(!repeated || delivery.dup) << payload << " came again without DUP";
    if (delivery.qos == Qos::k1) {
      if (!repeated) client.received.push_back(payload);
      client.seen.insert(payload);
      return AckOp::ack(number, AckKind::kPuback);
    }
    // Once for each identifier until its PUBREL: were it given anew, this would count twice.
    if (client.open.insert(number).second) client.received.push_back(payload);
    client.seen.insert(payload);
    return AckOp::ack(number, AckKind::kPubrec);
  }

  void acknowledge(const std::string& id) {
    Client& client = clients_[id];
    if (client.epoch == 0 || client.unsent_acks.empty()) return;
    const uint64_t ack = client.unsent_acks.front();
    client.unsent_acks.pop_front();
    const std::string& payload = client.payloads[AckOp::number_of(ack)];
    if (AckOp::kind_of(ack) == AckKind::kPubrec) {
      oracle_.release(id, payload);
      // PUBREL goes out when this is committed.
      client.open.erase(AckOp::number_of(ack));
      client.unsent_acks.push_back(AckOp::ack(AckOp::number_of(ack), AckKind::kPubcomp));
    } else {
      oracle_.finish(id, payload);
    }
    apply_op(AckOp{id, client.epoch, {ack}});
  }

  void compare() {
    EXPECT_EQ(first_.state->meta().sessions, oracle_.sessions.size());
    for (const auto& [id, expected] : oracle_.sessions) {
      const std::optional<SessionRecord> session = first_.state->session(id);
      ASSERT_TRUE(session) << id;
      EXPECT_EQ(session->queue.queued, expected.queue.size()) << id;
      std::vector<OracleMessage> sent;
      for (const OracleMessage& each : expected.queue) {
        if (each.sent) sent.push_back(each);
      }
      const auto is = first_.state->deliveries(id, 0, {.items = 100});
      ASSERT_EQ(is.size(), sent.size()) << id;
      for (size_t i = 0; i < is.size(); ++i) {
        EXPECT_EQ(is[i].released, sent[i].released);
        EXPECT_EQ(is[i].qos, sent[i].qos);
        if (!is[i].released) EXPECT_EQ(is[i].message.payload, sent[i].payload);
      }
      for (const auto& [reason, count] : expected.drops) {
        EXPECT_EQ(first_.drops(id, reason), count) << id;
      }
    }
  }

  // All come back and take what there is.
  void drain() {
    for (const std::string& id : kIds) {
      if (clients_[id].epoch == 0) connect(id);
      const auto has_more = [&] {
        return !first_.state->deliveries(id, clients_[id].read_to, {}).empty() ||
               !clients_[id].unsent_acks.empty();
      };
      while (has_more() && !testing::Test::HasFailure()) {
        read(id);
        acknowledge(id);
      }
      EXPECT_EQ(first_.state->session(id)->queue.queued, 0u) << id;
    }
  }

  // Nothing is lost, nothing comes twice, all is in order.
  void check_received() {
    for (const std::string& id : kIds) {
      const std::vector<std::string>& received = clients_[id].received;
      size_t at = 0;
      for (const Expected& each : oracle_.expected[id]) {
        const bool is_here = at < received.size() && received[at] == each.payload;
        EXPECT_TRUE(is_here || !each.required) << id << " misses " << each.payload;
        if (is_here) ++at;
      }
      EXPECT_EQ(at, received.size()) << id << " got more than it was to";
    }
  }

  // The second replica: some entries behind, from its own keys or from a copy of the first's.
  void follow() {
    if (random_.one_in(10)) {
      follower_.values = first_.values;
      follower_.index = follower_at_ = log_.size();
      follower_.restart();
    }
    if (random_.one_in(10)) follower_.restart();
    for (uint64_t left = random_.below(10); left != 0 && follower_at_ < log_.size(); --left) {
      const Effects effects = follower_.apply_bytes(log_[follower_at_]);
      EXPECT_EQ(effects, effects_[follower_at_]) << "entry " << follower_at_ + 1;
      ++follower_at_;
    }
    if (follower_at_ == log_.size()) EXPECT_EQ(follower_.state->hash(), first_.state->hash());
  }

  Random random_;
  ShardLimits limits_;
  TestShard first_{1};
  TestShard follower_{2};
  Oracle oracle_;
  std::map<std::string, Client> clients_;
  uint64_t published_ = 0;
  std::vector<std::string> log_;
  std::vector<Effects> effects_;
  size_t follower_at_ = 0;
};

TEST(Model, AShardDoesWhatTheOracleSays) {
  for (uint64_t seed = 1; seed <= 60 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    History(seed).run(400);
  }
}

}  // namespace
}  // namespace shoal::shard
