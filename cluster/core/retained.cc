#include "cluster/core/retained.h"

#include <utility>

#include "cluster/core/retained_record.h"
#include "node/rules/forward_batch.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

constexpr size_t kCopyOpenBytes = 1024 * 1024;  // on its way to a peer
constexpr size_t kCopyItems = 64;               // taken from the tree at a time
constexpr size_t kCopyItemsBytes = 256 * 1024;
constexpr size_t kSweepItems = 500;  // looked at in a tick
constexpr int kSteps = 4;            // portions without a message that one query may take in a row
constexpr Duration kAsOfInterval = Duration::seconds(60);
constexpr int64_t kTombstoneMs = RetainedTree::Options().tombstone_age.to_millis();
constexpr int kHeartbeatsApart = 5;  // digests that differ for so many: something is missing

}  // namespace

Retained::Retained(Context& context, Forwarding& forwarding,
                   std::function<std::vector<Pair*>()> open_pairs,
                   std::function<std::set<NodeId>()> needed)
    : context_(context),
      forwarding_(forwarding),
      open_pairs_(std::move(open_pairs)),
      needed_(std::move(needed)) {}

// ---- workers ------------------------------------------------------------------------------------

void Retained::on_write(WorkerIndex worker, RetainWrite&& in) {
  const bool is_removal = in.message->payload().empty();
  const MessageRef before = tree_.find(in.message->topic(), context_.now.mono);
  const size_t others = tree_.bytes() - (before ? before->bytes() : 0);
  if (!is_removal && others + in.message->bytes() > context_.config.limits.retained_bytes_max) {
    ++dropped_;
    return tell_done(worker, in.number);
  }
  Write write{.worker = worker,
              .number = in.number,
              .message = std::move(in.message),
              .stamp = context_.next_stamp(),
              .waits_for = needed_()};
  put(write.message, write.stamp);
  write.disk = last_write_;
  const uint64_t token = ++last_token_;
  for (Pair* const pair : open_pairs_()) send(*pair, write.message, write.stamp, token);
  const auto it = writes_.emplace(token, std::move(write)).first;
  if (is_done(it->second)) finish(it);
}

// ---- the disk -----------------------------------------------------------------------------------

void Retained::write(HubEffects::RetainedWrite&& effect) {
  if (!is_durable_) return;
  effect.number = ++last_write_;
  context_.effects.retained_writes.push_back(std::move(effect));
}

void Retained::put(const MessageRef& message, const Stamp& stamp) {
  if (!tree_.put(message, stamp, context_.now.mono)) return;
  write({.message = message, .stamp = stamp, .wall_ms = expires_ms_of(*message, context_.now)});
}

void Retained::on_loaded(StoredRetained&& stored) {
  as_of_ms_ = stored.as_of_ms;
  for (StoredRetained::Item& each : stored.items) {
    context_.see_counter(each.stamp.counter);
    tree_.put(std::move(each.message), each.stamp, context_.now.mono);
  }
}

void Retained::on_written(uint64_t number) {
  written_ = number;
  std::map<NodeId, proto::RetainedStored> told;
  for (; !owed_.empty() && owed_.front().disk <= written_; owed_.pop_front()) {
    told[owed_.front().peer].add_tokens(owed_.front().token);
  }
  for (Pair* const pair : open_pairs_()) {
    const auto it = told.find(pair->id());
    if (it != told.end()) pair->send(FrameKind::kRetainedStored, it->second);
  }
  for (auto it = writes_.begin(); it != writes_.end();) {
    const auto write = it++;
    if (is_done(write->second)) finish(write);
  }
}

void Retained::send(Pair& pair, const MessageRef& message, const Stamp& stamp, uint64_t token) {
  forwarding_.send_retained(
      pair, stamp, batch_of_one(0, message, 1, {}, context_.config.limits, context_.now.mono),
      token);
}

void Retained::finish(std::map<uint64_t, Write>::iterator write) {
  const WorkerIndex worker = write->second.worker;
  const uint64_t number = write->second.number;
  writes_.erase(write);
  tell_done(worker, number);
}

void Retained::tell_done(WorkerIndex worker, uint64_t number) {
  if (worker == kHub) return hub_done_(number);
  context_.mail(bit_of(worker), RetainDone{number});
}

void Retained::on_stored(const Pair& pair, uint64_t token) {
  const auto it = writes_.find(token);
  if (it == writes_.end()) return;
  it->second.waits_for.erase(pair.id());
  if (is_done(it->second)) finish(it);
}

void Retained::check_waits() {
  if (writes_.empty()) return;
  const std::set<NodeId> needed = needed_();
  for (auto it = writes_.begin(); it != writes_.end();) {
    const auto write = it++;
    std::erase_if(write->second.waits_for,
                  [&needed](NodeId peer) { return needed.count(peer) == 0; });
    if (is_done(write->second)) finish(write);
  }
}

void Retained::on_query(WorkerIndex worker, RetainedQuery&& query) {
  queries_.push_back({worker, std::move(query)});
  if (queries_.size() == 1) answer_queries();
}

bool Retained::answer(Query& query) {
  for (int step = 0; step < kSteps; ++step) {
    RetainedTree::Portion portion =
        tree_.match(query.query.filter, query.query.after, {}, context_.now.mono);
    if (!portion.messages.empty() || portion.done) {
      context_.mail(bit_of(query.worker),
                    RetainedPortion{query.query.query, std::move(portion.messages), portion.done});
      return true;
    }
    query.query.after = std::move(portion.after);
  }
  return false;
}

void Retained::answer_queries() {
  if (is_copying()) return;
  // One that looks at many topics for nothing goes to the end of the line.
  for (size_t left = queries_.size(); left > 0; --left) {
    Query query = std::move(queries_.front());
    queries_.pop_front();
    if (!answer(query)) queries_.push_back(std::move(query));
  }
}

void Retained::on_tick(bool is_complete) {
  is_complete_ = is_complete;
  if (is_complete_) as_of_ms_ = context_.now.wall_ms;
  if (is_complete_ && context_.now.mono >= next_as_of_) {
    next_as_of_ = context_.now.mono + kAsOfInterval;
    write({.kind = HubEffects::RetainedWrite::Kind::kAsOf, .wall_ms = as_of_ms_});
  }
  tree_.sweep(context_.now.mono, kSweepItems);
  for (std::string& topic : tree_.take_forgotten()) {
    write({.kind = HubEffects::RetainedWrite::Kind::kForget, .topic = std::move(topic)});
  }
  answer_queries();
}

// ---- peers --------------------------------------------------------------------------------------

void Retained::on_open(Pair& pair) {
  proto::RetainedDigest message;
  message.set_digest(tree_.digest());
  message.set_as_of_ms(as_of_ms_);
  pair.send(FrameKind::kRetainedDigest, message);
  // What it was not told, or has forgotten.
  for (const auto& [token, write] : writes_) {
    if (write.waits_for.count(pair.id()) != 0) send(pair, write.message, write.stamp, token);
  }
}

void Retained::on_end(const Pair& pair) {
  copying_to_.erase(pair.id());
  to_copy_.erase(pair.id());
  compared_.erase(pair.id());
  // It sends again what it waits for.
  std::erase_if(owed_, [&pair](const Owed& owed) { return owed.peer == pair.id(); });
  if (copying_from_ == pair.id()) copying_from_ = NodeId{};
  copy_next();
}

void Retained::on_digest(Pair& pair, uint64_t digest, int64_t as_of_ms) {
  if (!is_complete_ && as_of_ms_ + kTombstoneMs < as_of_ms) {
    tree_ = RetainedTree();
    as_of_ms_ = 0;
    write({.kind = HubEffects::RetainedWrite::Kind::kClear});
  }
  compare(pair, digest);
}

void Retained::compare(Pair& pair, uint64_t digest) {
  to_copy_[pair.id()] = digest;
  copy_next();
}

void Retained::on_heartbeat(Pair& pair, uint64_t digest) {
  Compared& compared = compared_[pair.id()];
  const bool is_same = compared.own == tree_.digest() && compared.peer == digest;
  if (digest == tree_.digest() || !is_same || is_copying()) {
    compared = {tree_.digest(), digest, 0};
  } else if (++compared.heartbeats == kHeartbeatsApart) {
    compared.heartbeats = 0;
    compare(pair, digest);
  }
}

// Asks the next one whose messages are not ours.
void Retained::copy_next() {
  while (!copying_from_ && !to_copy_.empty()) {
    const auto [id, digest] = *to_copy_.begin();
    for (Pair* const pair : open_pairs_()) {
      if (pair->id() != id || digest == tree_.digest()) continue;
      copying_from_ = id;
      ends_left_ = 2;
      pair->send(FrameKind::kRetainedWanted, proto::RetainedWanted());
    }
    if (!copying_from_) to_copy_.erase(id);
  }
  if (!is_copying()) answer_queries();
}

void Retained::on_wanted(Pair& pair) {
  copying_to_[pair.id()] = {};
  pump(pair);
}

void Retained::pump(Pair& pair) {
  const auto it = copying_to_.find(pair.id());
  if (it == copying_to_.end()) return;
  const auto open_bytes = [&] {
    return forwarding_.waiting_bytes(pair) + pair.kept_bytes(Lane::kForward) +
           pair.kept_bytes(Lane::kBulk);
  };
  while (open_bytes() < kCopyOpenBytes) {
    const auto items = tree_.items(it->second, kCopyItems, kCopyItemsBytes);
    if (items.empty()) {
      copying_to_.erase(it);
      return forwarding_.send_retained_end(pair);
    }
    for (const RetainedTree::Item& item : items) send(pair, item.message, item.stamp, 0);
    it->second = std::string(items.back().message->topic());
  }
}

bool Retained::on_parcel(Pair& pair, RetainedParcel&& parcel) {
  if (parcel.is_end) {
    if (copying_from_ != pair.id() || --ends_left_ > 0) return true;
    copying_from_ = NodeId{};
    to_copy_.erase(pair.id());
    copy_next();
    return true;
  }
  ForwardBatchReader reader(*parcel.batch, context_.now.mono);
  ForwardRecord record;
  if (!reader.next(record) || record.message.topic.empty()) return false;
  context_.see_counter(parcel.stamp.counter);
  MessageRef message = record.large ? record.large : Message::create(record.message);
  put(message, parcel.stamp);
  if (parcel.token == 0) return true;
  // One that was known is as durable as the last write.
  if (!is_durable_ || last_write_ <= written_) {
    proto::RetainedStored stored;
    stored.add_tokens(parcel.token);
    pair.send(FrameKind::kRetainedStored, stored);
  } else {
    owed_.push_back({last_write_, pair.id(), parcel.token});
  }
  return true;
}

}  // namespace shoal
