// What the leader of a TestStore's shards does beside answering.
#include <algorithm>
#include <bit>

#include <gtest/gtest.h>

#include "cluster/shard/forwarded.h"
#include "node/rules/topic.h"
#include "shoal/byte_view.h"
#include "tests/broker/test_store.h"

namespace shoal::test {
namespace {

using shard::OutboxKind;
using shard::OutboxMessage;

template <class AnyOp>
std::string entry_of(uint64_t stamp, const AnyOp& op) {
  shard::EntryBuilder entry(stamp);
  entry.add(op);
  return entry.finish();
}

}  // namespace

// Until nothing follows from anything.
void TestStore::work() {
  bool more = true;
  while (more) {
    more = false;
    tell_routes();
    for (size_t i = 0; i < shards_.size(); ++i) {
      more = work_off_outbox(i) || more;
      more = take_for_members(i) || more;
      more = replay(i) || more;
    }
  }
  for (const std::string& client_id : known_) deliver(client_id);
  tell_routes();
}

MessageRef TestStore::message_of(const shard::Body& body) const {
  MessageView view;
  view.qos = body.qos;
  view.retain = body.retain;
  view.topic = body.topic;
  view.properties = shoal::bytes_of(body.properties);
  view.payload = shoal::bytes_of(body.payload);
  view.publisher = body.publisher;
  if (body.expires_at != 0) {
    const auto left = static_cast<int64_t>(body.expires_at) - world_.now().wall_ms;
    view.expires_at = world_.now().mono + Duration::millis(left);
  }
  return Message::create(view);
}

// What the shard lets be sent, as far as the worker has room.
bool TestStore::deliver(const std::string& client_id) {
  const auto found = attached_.find(client_id);
  if (found == attached_.end()) return false;
  Attached& session = found->second;
  SessionMessages out{client_id, session.epoch, {}};
  const auto& state = *shards_[shard_of(client_id)]->state;
  for (const shard::Delivery& each : state.deliveries(client_id, session.sent + 1, {})) {
    if (session.unpassed.size() >= room) break;
    session.sent = each.number;
    session.unpassed.push_back(each.number);
    SessionMessage& message = out.messages.emplace_back();
    message.number = each.number;
    message.qos = each.qos;
    message.retain = each.retain;
    message.dup = each.dup;
    message.released = each.released;
    message.identifiers = each.identifiers;
    if (!each.released) message.message = message_of(each.message);
  }
  if (out.messages.empty()) return false;
  world_.post(session.worker, FromStore(std::move(out)));
  return true;
}

// ---- the outbox -----------------------------------------------------------------------------------------

bool TestStore::work_off_outbox(size_t from) {
  Shard& source = *shards_[from];
  bool any = false;
  for (const OutboxMessage& item : source.state->outbox(0, {})) {
    if (!source.out.insert(item.number).second) continue;
    any = true;
    if (item.record.kind == OutboxKind::kMessage) {
      publish_item(from, item);
    } else {
      forward_item(from, item);
    }
  }
  return any;
}

void TestStore::forward_item(size_t from, const OutboxMessage& item) {
  const bool to_member = item.record.kind == OutboxKind::kDelivery;
  const size_t to = shard_of(to_member ? item.record.client_id : item.record.group);
  apply_bytes(to, entry_of(stamp(), shard::forwarded(item, static_cast<uint32_t>(from))));
  apply_bytes(from, entry_of(stamp(), shard::OutboxDoneOp{{item.number}}));
}

// A message: matched as a worker does it, to shards and to live sessions.
void TestStore::publish_item(size_t from, const OutboxMessage& item) {
  const MessageRef message = message_of(*item.message);
  if (message->retain()) {
    if (message->payload().empty()) {
      world_.retained->erase(item.message->topic);
    } else {
      world_.retained->insert_or_assign(item.message->topic, message);
    }
  }
  const Match& match = routes_.match(message->topic());
  const std::string& only = item.record.group;  // who shares that alone
  std::map<NodeSlot, uint64_t> masks;
  for (const RemoteTarget& target : match.remotes()) {
    if (!only.empty()) break;
    if (target.node != kShards) {
      masks[target.node] |= target.worker_mask;
      continue;
    }
    for (uint64_t left = target.worker_mask; left != 0; left &= left - 1) {
      const auto to = static_cast<size_t>(std::countr_zero(left));
      apply_bytes(to, entry_of(stamp(), shard::forwarded(item, static_cast<uint32_t>(from))));
    }
  }
  Waited waited{.item = item.number, .message = message};
  for (const auto& [slot, mask] : masks) give(from, waited, slot, mask, {});
  for (const SharedGroup* const group : match.groups()) {
    if (only.empty() || group->filter() == only) give_member(from, waited, *group);
  }
  if (waited.answers.empty()) {
    apply_bytes(from, entry_of(stamp(), shard::OutboxDoneOp{{item.number}}));
  } else {
    waited_.emplace_back(from, std::move(waited));
  }
}

// To one member, where nobody was yet asked for it in vain.
void TestStore::give_member(size_t from, Waited& waited, const SharedGroup& group) {
  const auto place = group.pick(random_, waited.asked[std::string(group.filter())]);
  if (!place || place->node == kShards) return;
  const SharedPick pick{place->worker, group.filter()};
  give(from, waited, place->node, 0, {&pick, 1});
}

void TestStore::give(size_t from, Waited& waited, NodeSlot slot, uint64_t mask,
                     std::span<const SharedPick> picks) {
  const size_t node = slot - 1;
  auto& writer = shards_[from]->writers[node];
  if (!writer) writer = std::make_unique<ForwardBatchWriter>(static_cast<WorkerIndex>(from));
  const uint64_t number = writer->append(waited.message->view(), mask, picks, world_.now().mono);
  std::vector<ForwardBatchRef> batches;
  writer->finish(batches);
  const std::string filter(picks.empty() ? "" : picks.front().filter);
  const uint64_t workers = picks.empty() ? mask : uint64_t{1} << picks.front().worker;
  for (uint64_t left = workers; left != 0; left &= left - 1) {
    const size_t worker = node * world_.workers_per_node + std::countr_zero(left);
    for (const ForwardBatchRef& batch : batches) world_.post(worker, ForwardIn{kShards, batch});
    if (number != 0) waited.answers.emplace(std::pair(worker, number), filter);
  }
}

void TestStore::on_accept(size_t from, const AcceptOut& accept) {
  ASSERT_EQ(accept.origin.node, kShards);
  for (const AcceptedRange& range : accept.ranges) {
    for (auto& [source, waited] : waited_) {
      if (source != accept.origin.worker) continue;
      for (uint64_t number = range.first; number <= range.last; ++number) {
        on_answer(source, waited, {from, number}, range.acceptance);
      }
    }
  }
  std::erase_if(waited_, [this](const auto& each) {
    if (!each.second.answers.empty()) return false;
    apply_bytes(each.first, entry_of(stamp(), shard::OutboxDoneOp{{each.second.item}}));
    return true;
  });
  work();
}

void TestStore::on_answer(size_t source, Waited& waited, std::pair<size_t, uint64_t> of,
                          Acceptance acceptance) {
  const auto found = waited.answers.find(of);
  if (found == waited.answers.end()) return;
  const std::string filter = std::move(found->second);
  waited.answers.erase(found);
  if (acceptance == Acceptance::kAccepted) return;
  ASSERT_FALSE(filter.empty()) << "a plain subscription's worker said that nobody shares";
  const auto slot = static_cast<NodeSlot>(of.first / world_.workers_per_node + 1);
  const auto worker = static_cast<WorkerIndex>(of.first % world_.workers_per_node);
  waited.asked[filter].push_back({slot, worker});
  for (const SharedGroup* const group : routes_.match(waited.message->topic()).groups()) {
    if (group->filter() == filter) give_member(source, waited, *group);
  }
}

// ---- shared subscriptions, retained messages --------------------------------------------------------------

// A message for a member that is connected and has room, then for the next.
bool TestStore::take_for_members(size_t of) {
  const shard::ShardState& state = *shards_[of]->state;
  for (const std::string& group : state.groups()) {
    const auto record = state.group(group);
    if (record->fresh.queued + record->returned.queued == 0) continue;
    std::vector<std::string> members;
    for (const std::string& client_id : known_) {
      const auto member = state.member(group, client_id);
      const auto its = session(client_id);
      if (!member || !member->online || !its) continue;
      if (its->queue.queued < 4u * its->receive_maximum) members.push_back(client_id);
    }
    if (members.empty()) continue;
    const std::string& client_id = members[turn_++ % members.size()];
    const auto version = state.member(group, client_id)->version;
    apply_bytes(of, entry_of(stamp(), shard::TakeOp{group, client_id, version, 1}));
    return true;
  }
  return false;
}

bool TestStore::replay(size_t of) {
  const shard::ShardState& state = *shards_[of]->state;
  bool any = false;
  for (const shard::OpenReplay& open : state.replays()) {
    const auto record = state.replay(open.client_id, open.filter);
    shard::ReplayPortionOp op{.client_id = open.client_id,
                              .filter = open.filter,
                              .replay = record->id,
                              .from = record->cursor,
                              .done = true};
    for (const auto& [topic, message] : *world_.retained) {
      if (!topic_matches(open.filter, topic) || message->qos() == Qos::k0) continue;
      op.messages.push_back(TestStore::spec_of(*message));
    }
    apply_bytes(of, entry_of(stamp(), op));
    any = true;
  }
  return any;
}

// ---- routes -----------------------------------------------------------------------------------------------

void TestStore::on_routes(size_t from, const RouteBatch& batch) {
  const auto node = static_cast<NodeSlot>(from / world_.workers_per_node + 1);
  const auto worker = static_cast<WorkerIndex>(from % world_.workers_per_node);
  for (const RouteChange& change : batch.changes) routes_.apply({{node, worker}, change});
}

std::map<std::pair<size_t, std::string>, RouteWeight> TestStore::wanted_routes() const {
  std::map<std::pair<size_t, std::string>, RouteWeight> routes;
  for (const std::string& client_id : known_) {
    const size_t home = shard_of(client_id);
    const shard::ShardState& state = *shards_[home]->state;
    const auto record = state.session(client_id);
    for (const std::string& filter : state.subscriptions(client_id)) {
      if (parse_shared(filter)) {
        RouteWeight& weight = routes[{shard_of(filter), filter}];
        ++(record->attached ? weight.online : weight.offline);
      } else if (state.subscription(client_id, filter)->qos != Qos::k0) {
        routes[{home, filter}] = {1, 0};
      }
    }
  }
  return routes;
}

void TestStore::tell_routes() {
  auto wanted = wanted_routes();
  RouteUpdate update;
  const auto tell = [&](const std::pair<size_t, std::string>& route, RouteWeight weight) {
    const Place place{kShards, static_cast<WorkerIndex>(route.first)};
    update.routes.push_back({place, {route.second, weight}});
  };
  for (const auto& [route, weight] : wanted) {
    const auto known = told_.find(route);
    if (known == told_.end() || known->second != weight) tell(route, weight);
  }
  for (const auto& [route, weight] : told_) {
    if (!wanted.contains(route)) tell(route, {});
  }
  told_ = std::move(wanted);
  if (update.routes.empty()) return;
  for (const PlacedRoute& route : update.routes) routes_.apply(route);
  for (size_t worker = 0; worker < world_.workers; ++worker) world_.post(worker, update);
}

}  // namespace shoal::test
