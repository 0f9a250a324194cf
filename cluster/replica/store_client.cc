#include "cluster/replica/store_client.h"

#include <utility>

#include "cluster/shard/slots.h"
#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal::replica {
namespace {

constexpr size_t kRequestBytes = 256 * 1024;  // of ops in one request, about

}  // namespace

StoreClient::StoreClient(const Options& options) : options_(options), shards_(options.shards) {
  for (Shard& each : shards_) each.lanes.resize(options.workers);
}

uint32_t StoreClient::shard_of(std::string_view name) const {
  return shard::shard_of(name, options_.cluster_seed, options_.shards);
}

uint64_t StoreClient::waiting() const {
  uint64_t count = 0;
  for (const Shard& each : shards_) {
    for (const Lane& lane : each.lanes) count += lane.ops.size() + lane.uploads.size();
  }
  return count;
}

// ---- leaders ------------------------------------------------------------------------------------

void StoreClient::on_leader(uint32_t at, NodeId node, uint64_t term) {
  Shard& shard = shards_[at];
  if (term < shard.leader.term) return;
  shard.leader = {node, term};
  shard.begins = true;
  ++shard.beginning;
  shard.out.Clear();
  for (Lane& lane : shard.lanes) {
    if (!SHOAL_MUTATED("store-nothing-submitted-again")) lane.sent = 0;
    lane.is_gap = false;
    lane.uploads.on_leader();
  }
  for (auto& [client_id, session] : shard.sessions) session.arriving.reset();
}

void StoreClient::on_no_leader(uint32_t at, uint64_t term) {
  Shard& shard = shards_[at];
  if (term < shard.leader.term) return;
  shard.leader = {NodeId{}, term};
  shard.begins = false;
  shard.out.Clear();
}

void StoreClient::on_reply(NodeId from, proto::StoreReply&& reply, Now now) {
  now_ = now;
  if (reply.shard() >= options_.shards || reply.incarnation() != options_.incarnation) return;
  const Shard& shard = shards_[reply.shard()];
  if (shard.leader.node != from || shard.leader.term != reply.term() || shard.begins) return;
  // The leader spoke before it heard of that: something before this was lost.
  const bool is_void = reply.beginning() != shard.beginning;
  if (is_void && !SHOAL_MUTATED("store-void-reply-taken")) return;
  for (const proto::StoreEvicted& each : reply.evicted()) on_evicted(reply.shard(), each);
  for (const proto::StoreConnected& each : reply.connected()) on_connected(reply.shard(), each);
  for (const proto::StoreDone& each : reply.done()) on_done(reply.shard(), each);
  for (const proto::StoreAnswer& each : reply.answers()) on_answer(each);
  for (const proto::StoreUploaded& each : reply.uploaded()) on_uploaded(reply.shard(), each);
  for (proto::StoreMessages& each : *reply.mutable_messages()) {
    on_messages(reply.shard(), std::move(each), now);
  }
}

void StoreClient::on_connected(uint32_t shard, const proto::StoreConnected& connected) {
  const auto it = connecting_.find(connected.client_id());
  const auto worker = static_cast<WorkerIndex>(connected.worker());
  const bool is_waited_for = it != connecting_.end() && it->second.worker == worker &&
                             it->second.number == connected.number();
  if (!is_waited_for) return;  // answered before, or a later one waits
  Connecting& connecting = it->second;
  if (connecting.is_withdrawn) {
    // Nobody was told that it is connected: it never was.
    submit_detach(worker, 0, it->first, connected.epoch(), true, std::nullopt);
    return settle(it, SessionAttached::Outcome::kAttached);
  }
  shards_[shard].sessions[it->first] = {connected.epoch(), worker, 0, nullptr};
  SessionAttached attached;
  attached.conn = connecting.conn;
  attached.client_id = it->first;
  attached.outcome = SessionAttached::Outcome::kAttached;
  attached.epoch = connected.epoch();
  attached.session_present = connected.session_present();
  for (const proto::StoreSubscription& each : connected.subscriptions()) {
    attached.subscriptions.push_back({.filter = each.filter(),
                                      .qos = static_cast<Qos>(each.qos()),
                                      .no_local = each.no_local(),
                                      .retain_as_published = each.retain_as_published(),
                                      .identifier = each.identifier()});
  }
  for (const uint32_t identifier : connected.received()) {
    attached.received.push_back(static_cast<uint16_t>(identifier));
  }
  effects_.mails.push_back({worker, std::move(attached)});
  if (connecting.question != 0) questions_.erase(connecting.question);
  connecting_.erase(it);
}

void StoreClient::on_done(uint32_t at, const proto::StoreDone& done) {
  const auto worker = static_cast<WorkerIndex>(done.worker());
  if (done.worker() >= shards_[at].lanes.size()) return;
  Lane& lane = shards_[at].lanes[worker];
  if (done.number() < lane.first || done.number() >= lane.first + lane.ops.size()) return;
  Op& op = lane.ops[done.number() - lane.first];
  const auto outcome = static_cast<shard::Effects::Outcome>(done.outcome());
  if (op.is_done) return;
  if (outcome == shard::Effects::Outcome::kGap) {
    lane.is_gap = true;
    return;
  }
  op.is_done = true;
  if (!op.client_id.empty()) {
    connects_.erase(connects_.find(op.client_id));
    on_connect_done(worker, done.number(), op, outcome);
  } else if (op.worker_number != 0) {
    const bool is_stale = outcome == shard::Effects::Outcome::kStaleEpoch ||
                          outcome == shard::Effects::Outcome::kNoSession;
    finish(worker, op, is_stale ? SessionDone::Outcome::kStale : SessionDone::Outcome::kCommitted);
  }
  while (!lane.ops.empty() && lane.ops.front().is_done) {
    lane.ops.pop_front();
    ++lane.first;
    if (lane.sent > 0) --lane.sent;
  }
}

// The answer itself came before this, with the reply that told of the connection. A repeat has to be
// asked for: its first answer may be lost.
void StoreClient::on_connect_done(WorkerIndex worker, uint64_t number, const Op& op,
                                  shard::Effects::Outcome outcome) {
  const auto it = connecting_.find(op.client_id);
  const bool is_waited_for =
      it != connecting_.end() && it->second.worker == worker && it->second.number == number;
  if (!is_waited_for) return;
  switch (outcome) {
    case shard::Effects::Outcome::kApplied: return;
    case shard::Effects::Outcome::kRepeat:
      if (SHOAL_MUTATED("store-repeated-connect-unanswered")) return;
      return ask(it->second, it->second.number);
    case shard::Effects::Outcome::kRefusedUser:
      return settle(it, SessionAttached::Outcome::kRefusedUser);
    default: return settle(it, SessionAttached::Outcome::kSuperseded);
  }
}

void StoreClient::finish(WorkerIndex worker, const Op& op, SessionDone::Outcome outcome) {
  SessionDone done{op.worker_number, outcome};
  if (op.is_shared) {
    const auto it = shared_.find({worker, op.worker_number});
    SHOAL_ASSERT(it != shared_.end());
    if (outcome != SessionDone::Outcome::kCommitted) it->second.outcome = outcome;
    if (--it->second.left != 0) return;
    done.outcome = it->second.outcome;
    shared_.erase(it);
  }
  effects_.mails.push_back({worker, done});
}

void StoreClient::on_answer(const proto::StoreAnswer& answer) {
  const auto question = questions_.find(answer.token());
  if (question == questions_.end()) return;
  const auto it = connecting_.find(question->second);
  questions_.erase(question);
  if (it == connecting_.end() || it->second.question != answer.token()) return;
  it->second.question = 0;
  if (it->second.number != 0) {
    // The session would have been told before this, so another connection has it, or it is over.
    return settle(it, SessionAttached::Outcome::kSuperseded);
  }
  if (!answer.stored()) return settle(it, SessionAttached::Outcome::kVolatile);
  submit_connect(it->second);
}

void StoreClient::on_evicted(uint32_t at, const proto::StoreEvicted& evicted) {
  auto& sessions = shards_[at].sessions;
  const auto it = sessions.find(evicted.client_id());
  if (it == sessions.end() || it->second.epoch != evicted.epoch()) return;
  const WorkerIndex worker = it->second.worker;
  sessions.erase(it);
  effects_.mails.push_back({worker, SessionEvict{evicted.client_id(), evicted.epoch()}});
}

void StoreClient::on_uploaded(uint32_t at, const proto::StoreUploaded& uploaded) {
  if (uploaded.worker() >= shards_[at].lanes.size()) return;
  Uploads& uploads = shards_[at].lanes[uploaded.worker()].uploads;
  uploads.on_uploaded(uploaded.upload(), uploaded.bytes(), uploaded.is_gap());
}

// ---- time, and the end of a turn

void StoreClient::on_tick(Now now) {
  now_ = now;
  for (Shard& shard : shards_) {
    for (Lane& lane : shard.lanes) {
      if (std::exchange(lane.is_gap, false)) lane.sent = 0;
      lane.uploads.on_tick();
    }
  }
  for (auto it = connecting_.begin(); it != connecting_.end();) {
    const auto at = it++;
    const bool asks = at->second.number == 0 && at->second.question != 0;
    if (asks && now.mono - at->second.asked >= options_.question_timeout) {
      settle(at, SessionAttached::Outcome::kVolatile);
    }
  }
}

void StoreClient::send(uint32_t at) {
  Shard& shard = shards_[at];
  proto::StoreRequest& out = shard.out;
  if (shard.begins) {
    out.set_begins(true);
    for (const auto& [client_id, session] : shard.sessions) {
      proto::StoreAttachment* const attached = out.add_attached();
      attached->set_client_id(client_id);
      attached->set_epoch(session.epoch);
      attached->set_delivered(session.delivered);
      attached->set_worker(session.worker);
    }
    shard.begins = false;
    for (auto& [client_id, connecting] : connecting_) {
      if (connecting.question != 0 && shard_of(client_id) == at) say(at, connecting);
    }
  }
  uint32_t ops = 0;
  for (Lane& lane : shard.lanes) {
    for (; lane.sent < lane.ops.size(); ++lane.sent) send_ops(at, lane.ops[lane.sent].bytes, ops);
  }
  for (size_t worker = 0; worker < shard.lanes.size(); ++worker) {
    const shard::Upload of = upload_of(static_cast<WorkerIndex>(worker), 0);
    Uploads& uploads = shard.lanes[worker].uploads;
    while (const auto piece = uploads.next_piece(of, options_.piece_bytes)) {
      send_ops(at, *piece, ops);
    }
  }
  const bool has_more = out.questions_size() != 0 || out.room_size() != 0 || out.read_size() != 0;
  if (ops != 0 || has_more || out.begins()) post(at, ops);
}

void StoreClient::send_ops(uint32_t at, const std::string& bytes, uint32_t& ops) {
  *shards_[at].out.mutable_ops() += bytes;
  ++ops;
  if (shards_[at].out.ops().size() >= kRequestBytes) post(at, std::exchange(ops, 0));
}

void StoreClient::post(uint32_t at, uint32_t ops) {
  Shard& shard = shards_[at];
  shard.out.set_shard(at);
  shard.out.set_term(shard.leader.term);
  shard.out.set_incarnation(options_.incarnation);
  shard.out.set_op_count(ops);
  shard.out.set_beginning(shard.beginning);
  effects_.requests.push_back({shard.leader.node, std::move(shard.out)});
  shard.out.Clear();
}

ClientEffects& StoreClient::end_turn() {
  for (uint32_t at = 0; at < options_.shards; ++at) {
    for (size_t worker = 0; worker < shards_[at].lanes.size(); ++worker) {
      const auto from = static_cast<WorkerIndex>(worker);
      while (auto ready = shards_[at].lanes[worker].uploads.take_ready()) {
        submit_message(at, from, ready->ask, ready->upload);
      }
    }
    if (shards_[at].leader.node) send(at);
  }
  return effects_;
}

}  // namespace shoal::replica
