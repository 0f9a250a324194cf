#include "tests/broker/test_store.h"

#include <algorithm>
#include <variant>

#include <gtest/gtest.h>

#include "cluster/shard/slots.h"
#include "node/rules/topic.h"

namespace shoal::test {
namespace {

using shard::Effects;
constexpr uint64_t kSeed = 3;

const char* name_of(const ToStore& mail) {
  static constexpr const char* kNames[] = {"connect",     "withdraw", "detach", "subscribe",
                                           "unsubscribe", "ack",      "room",   "receive",
                                           "release",     "publish"};
  return kNames[mail.index()];
}

uint64_t* number_of(ToStore& mail) {
  return std::visit(
      [](auto& m) -> uint64_t* {
        if constexpr (requires { m.number; }) return &m.number;
        return nullptr;
      },
      mail);
}

NodeId node_id(size_t node) { return NodeId{node + 1}; }

shard::AckKind kind_of(SessionAckKind kind) {
  switch (kind) {
    case SessionAckKind::kPuback: return shard::AckKind::kPuback;
    case SessionAckKind::kPubrec: return shard::AckKind::kPubrec;
    case SessionAckKind::kPubrecRefused: return shard::AckKind::kPubrecRefused;
    case SessionAckKind::kPubcomp: break;
  }
  return shard::AckKind::kPubcomp;
}

}  // namespace

TestStore::TestStore(size_t shards, World world) : world_(std::move(world)) {
  for (size_t i = 0; i < shards; ++i) {
    auto made = std::make_unique<Shard>();
    made->state = std::make_unique<shard::ShardState>(
        shard::ShardState::Options{.cluster_seed = kSeed, .router_seed = i}, made->values);
    shards_.push_back(std::move(made));
  }
}

size_t TestStore::shard_of(std::string_view name) const {
  return shard::slot_of(name, kSeed) % shards_.size();
}

std::optional<shard::SessionRecord> TestStore::session(std::string_view client_id) const {
  return shards_[shard_of(client_id)]->state->session(client_id);
}

bool TestStore::has_received(std::string_view client_id, uint16_t packet_id) const {
  return shards_[shard_of(client_id)]->state->has_received(client_id, packet_id);
}

size_t TestStore::outbox() const {
  size_t items = 0;
  for (const auto& each : shards_) items += each->state->meta().outbox;
  return items;
}

// ---- entries ------------------------------------------------------------------------------------------

template <class AnyOp>
Effects TestStore::submit(size_t from, size_t to, const AnyOp& op) {
  shard::Source source;
  source.node = node_id(from / world_.workers_per_node);
  source.incarnation = 1;
  source.worker = static_cast<WorkerIndex>(from % world_.workers_per_node);
  source.number = ++shards_[to]->source_numbers[from];
  shard::EntryBuilder entry(stamp());
  entry.add(op, source);
  return apply_bytes(to, entry.finish());
}

template <class AnyOp>
Effects TestStore::apply(size_t to, const AnyOp& op) {
  shard::EntryBuilder entry(stamp());
  entry.add(op);
  return apply_bytes(to, entry.finish());
}

Effects TestStore::apply_bytes(size_t to, const std::string& bytes) {
  Effects effects;
  Shard& target = *shards_[to];
  EXPECT_EQ(target.state->apply(++target.index, bytes, effects), shard::Applied::kApplied);
  for (const Effects::Evicted& each : effects.evicted) {
    const auto found = attached_.find(each.client_id);
    if (found == attached_.end() || found->second.epoch != each.epoch) continue;
    world_.post(found->second.worker, FromStore(SessionEvict{each.client_id, each.epoch}));
    attached_.erase(found);
  }
  return effects;
}

shard::MessageSpec TestStore::spec_of(const Message& message) const {
  shard::MessageSpec spec;
  spec.topic = message.topic();
  spec.properties = {reinterpret_cast<const char*>(message.properties().data()),
                     message.properties().size()};
  spec.payload = {reinterpret_cast<const char*>(message.payload().data()),
                  message.payload().size()};
  spec.qos = message.qos();
  spec.retain = message.retain();
  spec.publisher = message.publisher();
  if (message.expires_at() != Instant::never()) {
    spec.expires_at =
        stamp() + static_cast<uint64_t>((message.expires_at() - world_.now().mono).to_millis());
  }
  return spec;
}

// ---- mail -----------------------------------------------------------------------------------------------

void TestStore::on_mail(size_t from, ToStore mail) {
  ++seen[name_of(mail)];
  if (const uint64_t* const number = number_of(mail)) {
    EXPECT_EQ(*number, ++numbers_[from]) << name_of(mail);  // as they were sent
  }
  const bool at_once =
      std::holds_alternative<SessionRoom>(mail) || std::holds_alternative<SessionWithdraw>(mail);
  if (holds_commits && !at_once) {
    held_.emplace_back(from, std::move(mail));
    return;
  }
  process(from, mail);
  work();
}

void TestStore::commit() {
  holds_commits = holds_answers = false;
  for (auto& [worker, answer] : std::exchange(held_answers_, {})) {
    world_.post(worker, FromStore(std::move(answer)));
  }
  for (auto& [from, mail] : std::exchange(held_, {})) {
    process(from, mail);
    work();
  }
}

void TestStore::process(size_t from, ToStore& mail) {
  uint64_t* const number = number_of(mail);
  if (is_full && number && !std::holds_alternative<SessionDetach>(mail)) {
    return world_.post(from, FromStore(SessionDone{*number, SessionDone::Outcome::kQuota}));
  }
  std::visit([&](auto& m) { on(from, m); }, mail);
}

void TestStore::on(size_t from, SessionConnect& mail) {
  connects.push_back(mail);
  SessionAttached out;
  out.conn = mail.conn;
  out.client_id = mail.client_id;
  const size_t to = shard_of(mail.client_id);
  const shard::ShardState& state = *shards_[to]->state;
  if (mail.expiry_s == 0 && !mail.will && !state.session(mail.client_id)) {
    return world_.post(from, FromStore(std::move(out)));
  }
  shard::ConnectOp op;
  op.client_id = mail.client_id;
  op.user = mail.user;
  op.node = node_id(from / world_.workers_per_node);
  op.incarnation = 1;
  op.worker = static_cast<WorkerIndex>(from % world_.workers_per_node);
  op.receive_maximum = mail.receive_maximum;
  op.expiry_s = mail.expiry_s;
  op.clean_start = mail.clean_start;
  op.claim_counter = mail.claim.counter;
  op.claim_node = mail.claim.node;
  if (mail.will) {
    op.will = shard::WillSpec{spec_of(*mail.will->message), mail.will->delay_s};
    op.will->message.expiry_s = mail.will->expiry_s;
  }
  const Effects effects = submit(from, to, op);
  if (effects.connected.empty()) {
    EXPECT_EQ(effects.done.at(0).outcome, Effects::Outcome::kRefusedUser);
    out.outcome = SessionAttached::Outcome::kRefusedUser;
    return world_.post(from, FromStore(std::move(out)));
  }
  known_.insert(mail.client_id);
  const Effects::Connected& connected = effects.connected[0];
  out.outcome = SessionAttached::Outcome::kAttached;
  out.epoch = connected.epoch;
  out.session_present = connected.session_present;
  for (const std::string& filter : state.subscriptions(mail.client_id)) {
    const auto record = state.subscription(mail.client_id, filter);
    out.subscriptions.push_back({filter, record->qos, record->no_local, record->retain_as_published,
                                 record->identifier, false});
  }
  out.received = state.received(mail.client_id);
  attached_[mail.client_id] = {from, out.epoch, 0, 0, {}};
  if (holds_answers) {
    held_answers_.emplace_back(from, std::move(out));
  } else {
    world_.post(from, FromStore(std::move(out)));
  }
}

void TestStore::on(size_t from, SessionWithdraw& mail) {
  std::erase_if(held_, [&](const auto& held) {
    const auto* const connect = std::get_if<SessionConnect>(&held.second);
    return held.first == from && connect && connect->conn == mail.conn;
  });
}

void TestStore::answer(size_t from, uint64_t number, const Effects& effects) {
  SessionDone done{number, SessionDone::Outcome::kCommitted};
  const Effects::Outcome outcome = effects.done.at(0).outcome;
  if (outcome == Effects::Outcome::kStaleEpoch || outcome == Effects::Outcome::kNoSession) {
    done.outcome = SessionDone::Outcome::kStale;
  } else {
    EXPECT_EQ(outcome, Effects::Outcome::kApplied);
  }
  work();  // whoever is told that it is done may rely on all that follows from it
  world_.post(from, FromStore(done));
}

void TestStore::on(size_t from, SessionDetach& mail) {
  detaches.push_back(mail);
  const auto found = attached_.find(mail.client_id);
  if (found != attached_.end() && found->second.epoch == mail.epoch) attached_.erase(found);
  answer(from, mail.number,
         submit(from, shard_of(mail.client_id),
                shard::DetachOp{mail.client_id, mail.epoch, mail.discards_will, mail.expiry_s}));
}

void TestStore::on(size_t from, SessionSubscribe& mail) {
  shard::SubscribeOp op{mail.client_id, mail.epoch, {}};
  for (const SessionFilter& each : mail.filters) {
    op.filters.push_back({each.filter, each.qos, each.no_local, each.retain_as_published,
                          each.identifier, each.replay});
  }
  answer(from, mail.number, submit(from, shard_of(mail.client_id), op));
}

void TestStore::on(size_t from, SessionUnsubscribe& mail) {
  shard::UnsubscribeOp op{mail.client_id, mail.epoch, {}};
  op.filters.assign(mail.filters.begin(), mail.filters.end());
  answer(from, mail.number, submit(from, shard_of(mail.client_id), op));
}

void TestStore::on(size_t from, SessionAck& mail) {
  shard::AckOp op{mail.client_id, mail.epoch, {}};
  for (const SessionAck::One& each : mail.acks) {
    op.acks.push_back(shard::AckOp::ack(each.message, kind_of(each.kind)));
  }
  answer(from, mail.number, submit(from, shard_of(mail.client_id), op));
}

void TestStore::on(size_t from, SessionRoom& mail) {
  const auto found = attached_.find(mail.client_id);
  if (found == attached_.end() || found->second.epoch != mail.epoch) return;
  Attached& session = found->second;
  EXPECT_EQ(session.worker, from);
  EXPECT_GT(mail.message, session.passed);
  EXPECT_LE(mail.message, session.sent);
  session.passed = mail.message;
  std::erase_if(session.unpassed, [&](uint64_t number) { return number <= mail.message; });
}

void TestStore::on(size_t from, SessionReceive& mail) {
  answer(
      from, mail.number,
      submit(from, shard_of(mail.client_id),
             shard::ReceiveOp{mail.client_id, mail.epoch, mail.packet_id, spec_of(*mail.message)}));
}

void TestStore::on(size_t from, SessionRelease& mail) {
  answer(from, mail.number,
         submit(from, shard_of(mail.client_id),
                shard::ReleaseOp{mail.client_id, mail.epoch, mail.packet_id}));
}

void TestStore::on(size_t from, ShardPublish& mail) {
  publishes.push_back(mail);
  if (!mail.shared.empty()) return publish_shared(from, mail);
  EXPECT_NE(mail.message->qos(), Qos::k0);
  EXPECT_NE(mail.shards, 0u);
  for (size_t to = 0; to < shards_.size(); ++to) {
    if (mail.shards >> to & 1) {
      submit(from, to, shard::PublishOp{.message = spec_of(*mail.message)});
    }
  }
  work();
  world_.post(from, FromStore(SessionDone{mail.number}));
}

// For one shared subscription alone.
void TestStore::publish_shared(size_t from, ShardPublish& mail) {
  const size_t to = shard_of(mail.shared);
  EXPECT_EQ(mail.shards, uint64_t{1} << to);
  submit(from, to, shard::PublishOp{.message = spec_of(*mail.message), .group = mail.shared});
  work();
  world_.post(from, FromStore(SessionDone{mail.number}));
}

void TestStore::on_tick() {
  for (size_t i = 0; i < shards_.size(); ++i) {
    while (shards_[i]->state->next_due() <= stamp()) apply(i, shard::TickOp{});
  }
  work();
}

void TestStore::lose_node(size_t node) {
  for (size_t i = 0; i < shards_.size(); ++i) {
    for (const auto& each : shards_[i]->state->attached(node_id(node), 2)) {
      attached_.erase(each.client_id);
      apply(i, shard::DetachOp{.client_id = each.client_id, .epoch = each.epoch});
    }
  }
  work();
}

}  // namespace shoal::test
