// A replica that leads: what apply brought about, as nodes are told of it.
#include <iterator>
#include <utility>

#include "cluster/replica/shard_server.h"
#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal::replica {

void ShardServer::carry_out() {
  takers_.on_applied(entries_applied_);
  if (entries_applied_ >= tick_entry_) is_ticking_ = false;
  if (!applied_.routes.empty()) {
    routes_version_ = state_.applied();
    effects_.routes.push_back({routes_version_, false, std::move(applied_.routes)});
  }
  for (const shard::Effects::Evicted& each : applied_.evicted) {
    attachments_.detach(each.client_id, each.epoch);
    proto::StoreReply* const reply = reply_to(each.node, each.incarnation);
    if (reply == nullptr) continue;
    proto::StoreEvicted* const evicted = reply->add_evicted();
    evicted->set_worker(each.worker);
    evicted->set_client_id(each.client_id);
    evicted->set_epoch(each.epoch);
  }
  for (const shard::Effects::Ended& each : applied_.ended) attachments_.end(each.client_id);
  for (const shard::Effects::Connected& each : applied_.connected) {
    const std::optional<shard::SessionRecord> session = state_.session(each.client_id);
    const bool is_last = session && session->attached && session->epoch == each.epoch;
    if (is_last && reply_to(each.node, each.incarnation)) tell_connected(each.client_id, *session);
  }
  for (const shard::Effects::Done& each : applied_.done) {
    if (each.outbox_last == 0) {
      answer(each);
    } else {
      subscribing_.push_back(each);
    }
  }
  for (const shard::Effects::Uploaded& each : applied_.uploaded) tell_uploaded(each);
  for (const shard::Effects::Deliverable& each : applied_.deliverable) {
    attachments_.note(each.client_id);
    sharers_.note(each.client_id);
  }
  for (const shard::Effects::ReplayWanted& each : applied_.replays) {
    replays_[{each.client_id, each.filter}] = kAskReplay;
  }
  std::move(applied_.picked.begin(), applied_.picked.end(), std::back_inserter(picked_));
  for (const std::string& group : applied_.groups_filled) takers_.on_filled(group);
  for (const std::string& member : applied_.members_drained) sharers_.note(member);
  for (const shard::Effects::OutboxAnswer& each : applied_.outbox_answers) {
    effects_.outbox_answers.push_back({routes_version_, each});
  }
  std::move(applied_.drops.begin(), applied_.drops.end(), std::back_inserter(effects_.drops));
}

void ShardServer::answer(const shard::Effects::Done& done) {
  proto::StoreReply* const reply = reply_to(done.source.node, done.source.incarnation);
  if (reply == nullptr) return;
  proto::StoreDone* const out = reply->add_done();
  out->set_worker(done.source.worker);
  out->set_number(done.source.number);
  out->set_outcome(static_cast<uint32_t>(done.outcome));
}

void ShardServer::tell_uploaded(const shard::Effects::Uploaded& uploaded) {
  proto::StoreReply* const reply = reply_to(uploaded.upload.node, uploaded.upload.incarnation);
  if (reply == nullptr) return;
  proto::StoreUploaded* const out = reply->add_uploaded();
  out->set_worker(uploaded.upload.from);
  out->set_upload(uploaded.upload.number);
  out->set_bytes(uploaded.bytes);
  out->set_is_gap(uploaded.is_gap);
}

// The group's shard has to know of the member, and everybody of the group, before anybody is told
// that it is subscribed.
void ShardServer::answer_subscribing() {
  std::erase_if(subscribing_, [this](const shard::Effects::Done& each) {
    const bool is_known = SHOAL_MUTATED("store-shared-suback-early");
    if (!is_known && outbox_.has_membership(each.outbox_first, each.outbox_last)) return false;
    answer(each);
    return true;
  });
}

void ShardServer::attach(const std::string& client_id, const shard::SessionRecord& session,
                         uint64_t next) {
  attachments_.attach(client_id, {.node = session.node,
                                  .incarnation = session.incarnation,
                                  .worker = session.worker,
                                  .epoch = session.epoch,
                                  .next = next});
  sharers_.note(client_id);
}

void ShardServer::tell_connected(const std::string& client_id,
                                 const shard::SessionRecord& session) {
  proto::StoreReply* const reply = reply_to(session.node, session.incarnation);
  SHOAL_ASSERT(reply != nullptr);
  proto::StoreConnected* const out = reply->add_connected();
  out->set_worker(session.worker);
  out->set_number(session.connect_number);
  out->set_client_id(client_id);
  out->set_epoch(session.epoch);
  out->set_session_present(session.resumed);
  if (session.resumed) {
    for (const std::string& filter : state_.subscriptions(client_id)) {
      const std::optional<shard::SubscriptionRecord> record =
          state_.subscription(client_id, filter);
      if (!record) continue;
      proto::StoreSubscription* const subscription = out->add_subscriptions();
      subscription->set_filter(filter);
      subscription->set_qos(static_cast<uint32_t>(record->qos));
      subscription->set_no_local(record->no_local);
      subscription->set_retain_as_published(record->retain_as_published);
      subscription->set_identifier(record->identifier);
    }
  }
  if (session.received != 0) {
    for (const uint16_t identifier : state_.received(client_id)) out->add_received(identifier);
  }
  const bool forgets = SHOAL_MUTATED("nothing-sent-again");
  attach(client_id, session, forgets ? session.queue.unsent : session.queue.head);
}

// Null: the node has not begun with this leader, or is another life of it.
proto::StoreReply* ShardServer::reply_to(NodeId id, uint64_t incarnation) {
  const auto it = nodes_.find(id);
  if (it == nodes_.end() || !it->second.begun || it->second.incarnation != incarnation) {
    return nullptr;
  }
  proto::StoreReply& reply = replies_[id];
  reply.set_incarnation(incarnation);
  reply.set_beginning(it->second.beginning);
  return &reply;
}

}  // namespace shoal::replica
