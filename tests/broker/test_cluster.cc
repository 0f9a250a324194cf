#include "tests/broker/test_cluster.h"

#include <algorithm>

#include <absl/strings/str_format.h>
#include <gtest/gtest.h>

#include "node/broker/moved_client.h"
#include "node/rules/forward_batch.h"
#include "node/rules/topic.h"
#include "tests/broker/test_store.h"

namespace shoal::test {
std::string payload_of(size_t size) { return std::string(size, 'x'); }

TestCluster::TestCluster(Options options) : workers_per_node_(options.workers) {
  credentials = [](const CredentialCheck& check) {
    CredentialAnswer answer;
    answer.user = check.user_name.value_or("");
    return answer;
  };
  for (size_t node = 0; node < options.nodes; ++node) {
    for (size_t i = 0; i < options.workers; ++i) {
      auto worker = std::make_unique<Worker>();
      worker->node = node;
      worker->index = static_cast<WorkerIndex>(i);
      BrokerConfig config = options.config;
      config.worker = worker->index;
      config.node = NodeId{node + 1};
      worker->broker = std::make_unique<Broker>(config, 7 + workers_.size());
      workers_.push_back(std::move(worker));
    }
  }
  TestStore::World world;
  world.workers = workers_.size();
  world.workers_per_node = workers_per_node_;
  world.post = [this](size_t to, ToWorker mail) { post(to, std::move(mail)); };
  world.now = [this] { return now_; };
  world.retained = &retained;
  store_ = std::make_unique<TestStore>(options.shards, std::move(world));
  for (size_t i = 0; i < workers_.size(); ++i) {
    for (size_t node = 0; node < options.nodes; ++node) {
      if (node != workers_[i]->node) post(i, PeerUp{slot_of(workers_[i]->node, node)});
    }
  }
  set_lease(true);
}

TestCluster::~TestCluster() = default;

NodeSlot TestCluster::slot_of(size_t seen_from, size_t node) const {
  if (node == seen_from) return kSelf;
  return static_cast<NodeSlot>(node < seen_from ? node + 1 : node);
}

size_t TestCluster::node_of(size_t seen_from, NodeSlot slot) const {
  if (slot == kSelf) return seen_from;
  return slot <= seen_from ? slot - 1u : slot;
}

// ---- clients ------------------------------------------------------------------------------------------

TestClient& TestCluster::accept(size_t broker, ProtocolVersion version) {
  auto client = std::make_unique<TestClient>();
  client->broker = broker;
  client->version = version;
  TestClient& made = *client;
  clients_.push_back(std::move(client));
  Arrival arrival;
  arrival.address = absl::StrFormat("10.0.0.%d", clients_.size());
  made.conn = this->broker(broker).on_accept(std::move(arrival), now_);
  finish_turn(broker);
  return made;
}

TestClient& TestCluster::open(size_t broker, const ConnectOptions& options) {
  TestClient& client = accept(broker, options.version);
  Connect packet;
  packet.version = options.version;
  packet.client_id = options.client_id;
  packet.clean_start = options.clean_start;
  packet.keep_alive_s = options.keep_alive_s;
  if (options.edit) options.edit(packet);
  send(client, packet);
  return client;
}

TestClient& TestCluster::connect(size_t broker, const ConnectOptions& options) {
  TestClient& client = open(broker, options);
  EXPECT_FALSE(client.closed) << options.client_id;
  Frame frame;
  EXPECT_EQ(next_frame(client.received, kPacketSizeMax, frame), FrameStatus::kComplete);
  EXPECT_EQ(frame.type(), PacketType::kConnAck);
  if (frame.body.size() >= 2) EXPECT_EQ(frame.body[1], 0) << options.client_id;
  client.received.erase(client.received.begin(), client.received.begin() + frame.size);
  return client;
}

void TestCluster::send_bytes(TestClient& client, std::span<const uint8_t> bytes) {
  broker(client.broker).on_bytes(client.conn, bytes, now_);
  finish_turn(client.broker);
  settle();
}

void TestCluster::subscribe(TestClient& client, std::string_view filter, Qos qos,
                            uint16_t packet_id,
                            const std::function<void(SubscriptionRequest&)>& edit,
                            uint32_t identifier) {
  SubscriptionRequest request;
  request.filter = filter;
  request.qos = qos;
  if (edit) edit(request);
  std::vector<uint8_t> list;
  append_subscription(request, list);
  Subscribe packet;
  packet.packet_id = packet_id;
  if (identifier) packet.subscription_identifier = identifier;
  packet.subscriptions = SubscriptionList::of_valid(list);
  send(client, packet);
}

void TestCluster::unsubscribe(TestClient& client, std::string_view filter, uint16_t packet_id) {
  std::vector<uint8_t> list;
  append_filter(filter, list);
  Unsubscribe packet;
  packet.packet_id = packet_id;
  packet.filters = FilterList::of_valid(list);
  send(client, packet);
}

void TestCluster::publish(TestClient& client, std::string_view topic, std::string_view payload,
                          Qos qos, uint16_t packet_id, const std::function<void(Publish&)>& edit) {
  Publish packet;
  packet.topic = topic;
  packet.payload = bytes_of(payload);
  packet.qos = qos;
  packet.packet_id = packet_id;
  if (edit) edit(packet);
  send(client, packet);
}

void TestCluster::ack(TestClient& client, PacketType type, uint16_t packet_id, ReasonCode reason) {
  Ack packet;
  packet.type = type;
  packet.packet_id = packet_id;
  packet.reason = reason;
  send(client, packet);
}

void TestCluster::lose(TestClient& client) {
  broker(client.broker).on_closed(client.conn, now_);
  client.closed = true;
  finish_turn(client.broker);
  settle();
}

void TestCluster::read_again(TestClient& client) {
  client.reads = true;
  flush(client.broker, client.conn);
  settle();
}

TestClient* TestCluster::find(size_t broker, ConnId conn) {
  for (const auto& client : clients_) {
    if (client->broker == broker && client->conn == conn) return client.get();
  }
  return nullptr;
}

// ---- turns ----------------------------------------------------------------------------------------------

void TestCluster::mail(size_t broker, ToWorker mail) {
  post(broker, std::move(mail));
  settle();
}

void TestCluster::on_broker(size_t broker, const std::function<void(Broker&)>& event) {
  event(this->broker(broker));
  finish_turn(broker);
  settle();
}

void TestCluster::commit() {
  store_->commit();
  settle();
}

void TestCluster::settle() {
  while (!mails_.empty()) {
    Mail mail = std::move(mails_.front());
    mails_.pop_front();
    if (mail.moved) {
      auto moved = std::make_unique<MovedClient>(std::move(*mail.moved));
      mail.client->conn = broker(mail.to).move_in(std::move(moved), now_);
      mail.client->broker = mail.to;
    } else {
      broker(mail.to).on_mail(std::move(mail.mail), now_);
    }
    finish_turn(mail.to);
  }
}

void TestCluster::finish_turn(size_t broker) {
  for (;;) {
    Effects& effects = this->broker(broker).end_turn(now_);
    carry_out(broker, effects);
    if (checks) this->broker(broker).check_invariants();
    if (!effects.more) return;
    this->broker(broker).on_more(now_);
  }
}

void TestCluster::carry_out(size_t broker, Effects& effects) {
  Broker& b = this->broker(broker);
  for (const ConnId conn : effects.dirty) flush(broker, conn);
  for (auto& mail : effects.to_workers) {
    post(index_of(workers_[broker]->node, mail.worker), std::move(mail.mail));
  }
  for (ToHub& mail : effects.to_hub) on_hub(broker, mail);
  for (const auto& event : effects.log) log.push_back(event);
  for (const ConnId conn : effects.pause_reading) find(broker, conn)->paused = true;
  for (const ConnId conn : effects.resume_reading) find(broker, conn)->paused = false;
  bool more = false;
  for (const auto& close : effects.closes) {
    TestClient* const client = find(broker, close.conn);
    if (!client || client->closed) continue;
    if (close.after_flush) flush(broker, close.conn);
    client->closed = true;
    b.on_closed(close.conn, now_);
    more = true;
  }
  for (const CredentialCheck& check : effects.credential_checks) {
    b.on_credentials(check.conn, credentials(check), now_);
    more = true;
  }
  for (const Effects::Wish& wish : effects.wishes) move(broker, wish);
  if (more) finish_turn(broker);
}

void TestCluster::move(size_t broker, const Effects::Wish& wish) {
  TestClient* const client = find(broker, wish.conn);
  if (!moves || !client || client->closed) return;
  std::shared_ptr<MovedClient> moved = this->broker(broker).move_out(wish.conn, wish.worker, now_);
  if (!moved) return;
  client->conn = ConnId{};
  mails_.push_back({index_of(workers_[broker]->node, wish.worker), {}, std::move(moved), client});
}

void TestCluster::flush(size_t broker, ConnId conn) {
  TestClient* const client = find(broker, conn);
  if (!client || client->closed || !client->reads) return;
  Broker& b = this->broker(broker);
  for (;;) {
    Output& output = b.output(conn);
    std::span<const uint8_t> pieces[8];
    const size_t count = output.gather(pieces);
    size_t bytes = 0;
    for (size_t i = 0; i < count; ++i) {
      client->received.insert(client->received.end(), pieces[i].begin(), pieces[i].end());
      bytes += pieces[i].size();
    }
    output.consume(bytes);
    client->bytes_received += bytes;
    if (!output.empty()) continue;
    if (!output.wants_room()) return;
    b.on_written(conn, now_);
    finish_turn(broker);
  }
}

void TestCluster::advance(Duration duration) {
  const Instant end = now_.mono + duration;
  while (now_.mono < end) {
    now_.mono = std::min(end, now_.mono + Broker::kTick);
    now_.wall_ms += Broker::kTick.to_millis();
    for (size_t i = 0; i < workers_.size(); ++i) {
      broker(i).on_tick(now_);
      finish_turn(i);
    }
    store_->on_tick();
    settle();
  }
}

void TestCluster::set_lease(bool granted) {
  lease_ = granted;
  const Instant until = granted ? Instant::never() : now_.mono - Duration::millis(1);
  for (size_t i = 0; i < workers_.size(); ++i) post(i, AckUntil{until});
  settle();
}

void TestCluster::peer_down(size_t node, size_t other) {
  down_.emplace_back(node, other);
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i]->node == node) post(i, PeerDown{slot_of(node, other)});
    if (workers_[i]->node == other) post(i, PeerDown{slot_of(other, node)});
  }
  settle();
}

}  // namespace shoal::test
