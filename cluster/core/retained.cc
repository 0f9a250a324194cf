#include "cluster/core/retained.h"

#include <utility>

#include "node/rules/forward_batch.h"

namespace shoal {
namespace {

constexpr size_t kItemsOfOneTurn = 200;
constexpr size_t kBytesOfOneTurn = 512 * 1024;
constexpr size_t kSweptOfOneTick = 1000;
// A record must name a worker; who reads a retained message does not look at it.
constexpr uint64_t kNoOne = 1;

// The message of a parcel that this node's own writer, or a peer's, has made.
MessageRef message_of(const ForwardBatch& batch, Instant now) {
  ForwardBatchReader reader(batch, now);
  ForwardRecord record;
  if (!reader.next(record)) return {};
  return record.large ? record.large : Message::create(record.message);
}

}  // namespace

// ---- workers ------------------------------------------------------------------------------------

void Retained::on_write(WorkerIndex from, const RetainWrite& write) {
  const MessageRef& message = write.message;
  const bool is_removal = message->payload().empty();
  if (!is_removal && tree_.bytes() + message->bytes() > context_.config.limits.retained_bytes_max) {
    ++dropped_;
    return context_.mail(bit_of(from), RetainDone{write.number});
  }
  const Stamp stamp = context_.next_stamp();
  tree_.put(message, stamp, context_.now.mono);
  const uint64_t token = ++last_token_;
  const std::vector<Pair*> peers = peers_();
  writes_[token] = {from, write.number, static_cast<int>(peers.size()) + 1};
  for (Pair* const pair : peers) send(*pair, message, stamp, token);
  on_token(token);  // this node's own part
}

void Retained::on_token(uint64_t token) {
  const auto it = writes_.find(token);
  if (it == writes_.end() || --it->second.waits > 0) return;
  context_.mail(bit_of(it->second.worker), RetainDone{it->second.number});
  writes_.erase(it);
}

void Retained::on_query(WorkerIndex from, const RetainedQuery& query) {
  RetainedTree::Portion portion = tree_.match(query.filter, query.after, {}, context_.now.mono);
  // The worker goes on behind the last message, so an empty portion must be the last.
  while (portion.messages.empty() && !portion.done) {
    portion = tree_.match(query.filter, portion.after, {}, context_.now.mono);
  }
  context_.mail(bit_of(from),
                RetainedPortion{query.query, std::move(portion.messages), portion.done});
}

// ---- peers --------------------------------------------------------------------------------------

void Retained::send(Pair& pair, const MessageRef& message, const Stamp& stamp, uint64_t token) {
  if (message->payload().empty()) {
    return forwarding_.send_retained(pair, stamp, std::string(message->topic()), nullptr, token);
  }
  ForwardBatchWriter writer(0);
  if (travels_by_reference(message->view(), context_.config.limits)) {
    writer.append_large(message, kNoOne, {}, context_.now.mono);
  } else {
    writer.append(message->view(), kNoOne, {}, context_.now.mono);
  }
  std::vector<ForwardBatchRef> batches;
  writer.finish(batches);
  forwarding_.send_retained(pair, stamp, "", std::move(batches.front()), token);
}

void Retained::on_open(Pair& pair) {
  proto::RetainedDigest message;
  message.set_digest(tree_.digest());
  pair.send(FrameKind::kRetainedDigest, message);
}

bool Retained::on_digest(Pair& pair, const proto::RetainedDigest& digest) {
  if (digest.digest() != tree_.digest())
    pair.send(FrameKind::kRetainedWanted, proto::RetainedWanted());
  return true;
}

void Retained::on_wanted(Pair& pair) {
  sending_[pair.id()].clear();
  pump(pair);
}

void Retained::pump(Pair& pair) {
  const auto it = sending_.find(pair.id());
  if (it == sending_.end()) return;
  // Half of the queue is left to live messages.
  while (forwarding_.waiting_bytes(pair) < context_.config.limits.forward_queue_bytes / 2) {
    const std::vector<RetainedTree::Item> items =
        tree_.items(it->second, kItemsOfOneTurn, kBytesOfOneTurn);
    for (const RetainedTree::Item& item : items) send(pair, item.message, item.stamp, 0);
    if (items.empty()) {
      sending_.erase(it);
      return;
    }
    it->second = items.back().message->topic();
  }
}

bool Retained::on_parcel(const RetainedParcel& parcel) {
  context_.see_counter(parcel.stamp.counter);
  MessageRef message;
  if (parcel.batch != nullptr) {
    message = message_of(*parcel.batch, context_.now.mono);
    if (!message || message->payload().empty()) return false;
  } else {
    MessageView removal;
    removal.retain = true;
    removal.topic = parcel.removed_topic;
    message = Message::create(removal);
  }
  tree_.put(std::move(message), parcel.stamp, context_.now.mono);
  return true;
}

void Retained::on_tick() {
  tree_.sweep(context_.now.mono, kSweptOfOneTick);
  if (sending_.empty()) return;
  for (Pair* const pair : peers_()) pump(*pair);
}

}  // namespace shoal
