#include "node/rules/retained_tree.h"

#include <iterator>
#include <utility>

#include "node/rules/topic_hash.h"

namespace shoal {
namespace {

bool is_expired(const Message& message, Instant now) { return message.expires_at() <= now; }

// The same on every node, so without a seed of its own.
uint64_t digest_of(const RetainedTree::Item& item) {
  const uint64_t topic = text_hash(item.message->topic(), 0);
  return longer_path(longer_path(topic, item.stamp.counter), item.stamp.node.value);
}

}  // namespace

void RetainedTree::count(const Item& item, bool in) {
  const size_t bytes = item.message->bytes() + sizeof(Item);
  bytes_ = in ? bytes_ + bytes : bytes_ - bytes;
  if (is_tombstone(item)) {
    tombstones_ = in ? tombstones_ + 1 : tombstones_ - 1;
  } else {
    digest_ = in ? digest_ + digest_of(item) : digest_ - digest_of(item);
  }
}

// In place: what it is sorted by stays the same.
RetainedTree::Item& RetainedTree::replace(Set::iterator at, Item item) {
  Item& place = const_cast<Item&>(*at);
  count(place, false);
  place = std::move(item);
  count(place, true);
  return place;
}

bool RetainedTree::put(MessageRef message, Stamp stamp, Instant now) {
  const std::string_view topic = message->topic();
  Set::iterator at = set_.lower_bound(topic);
  const bool known = at != set_.end() && at->message->topic() == topic;
  if (known && stamp <= at->stamp) return false;
  const Item item{std::move(message), stamp};
  if (known) {
    replace(at, item);
  } else {
    set_.insert(at, item);
    count(item, true);
  }
  if (is_tombstone(item)) remember_removal(item, now);
  while (removals_.size() > options_.tombstones_max) forget_oldest_removal();
  return true;
}

MessageRef RetainedTree::find(std::string_view topic, Instant now) const {
  const auto at = set_.find(topic);
  if (at == set_.end() || is_tombstone(*at) || is_expired(*at->message, now)) return {};
  return at->message;
}

Stamp RetainedTree::stamp_of(std::string_view topic) const {
  const auto at = set_.find(topic);
  return at == set_.end() ? Stamp{} : at->stamp;
}

RetainedTree::Portion RetainedTree::match(std::string_view filter, std::string_view after,
                                          const PortionLimits& limits, Instant now) {
  TopicScan scan(filter);
  Portion portion;
  size_t bytes = 0;
  size_t steps = 0;
  Set::iterator at = after.empty() ? set_.lower_bound(scan.first()) : set_.upper_bound(after);
  for (Set::iterator last = at; at != set_.end(); ++steps) {
    const bool full = portion.messages.size() >= limits.messages || bytes >= limits.bytes;
    if (full || steps >= limits.steps) {
      portion.after = last->message->topic();
      return portion;
    }
    last = at;
    const TopicScan::Step step = scan.look_at(at->message->topic());
    if (step == TopicScan::Step::kEnd) break;
    if (step == TopicScan::Step::kGoOn) {
      at = set_.lower_bound(scan.seek_to());
      continue;
    }
    if (!is_tombstone(*at) && is_expired(*at->message, now)) entomb(at, now);
    if (!is_tombstone(*at)) {
      portion.messages.push_back(at->message);
      bytes += at->message->bytes();
    }
    ++at;
  }
  portion.done = true;
  return portion;
}

std::vector<RetainedTree::Item> RetainedTree::items(std::string_view after, size_t items_max,
                                                    size_t bytes_max) const {
  std::vector<Item> out;
  size_t bytes = 0;
  auto at = after.empty() ? set_.begin() : set_.upper_bound(after);
  for (; at != set_.end(); ++at) {
    if (!out.empty() && (out.size() >= items_max || bytes >= bytes_max)) break;
    out.push_back(*at);
    bytes += at->message->bytes();
  }
  return out;
}

// ---- removed and expired ------------------------------------------------------------------------

void RetainedTree::entomb(Set::iterator at, Instant now) {
  MessageView empty;
  empty.topic = at->message->topic();
  remember_removal(replace(at, {Message::create(empty), at->stamp}), now);
}

void RetainedTree::remember_removal(const Item& item, Instant now) {
  removals_.push_back({item, now + options_.tombstone_age});
}

void RetainedTree::forget_oldest_removal() {
  const Item removed = std::move(removals_.front().item);
  removals_.pop_front();
  const auto at = set_.find(removed.message->topic());
  if (at == set_.end() || !is_tombstone(*at) || at->stamp != removed.stamp) return;
  count(*at, false);
  forgotten_.emplace_back(at->message->topic());
  set_.erase(at);
}

void RetainedTree::sweep(Instant now, size_t items) {
  for (size_t i = 0; i < items && !removals_.empty(); ++i) {
    if (removals_.front().forget_at > now) break;
    forget_oldest_removal();
  }
  Set::iterator at = set_.upper_bound(sweep_at_);
  for (size_t i = 0; i < items; ++i, ++at) {
    if (at == set_.end()) {
      sweep_at_.clear();
      return;
    }
    if (!is_tombstone(*at) && is_expired(*at->message, now)) entomb(at, now);
    if (i + 1 == items) sweep_at_ = at->message->topic();
  }
}

}  // namespace shoal
