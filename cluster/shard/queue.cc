#include "cluster/shard/queue.h"

#include <algorithm>
#include <utility>

#include "shoal/assert.h"

namespace shoal::shard {
namespace {

// entry := offset, flags, body, size, [expires_at], [group], [count, identifiers]; each entry stands
// for itself, so that one more is added without reading the others.
constexpr uint8_t kQosMask = 3;
constexpr uint8_t kRetain = 4;
constexpr uint8_t kReleased = 8;
constexpr uint8_t kExpires = 16;
constexpr uint8_t kShared = 32;
constexpr uint8_t kIdentified = 64;
constexpr uint8_t kSole = 128;

uint8_t flags_of(const QueueEntry& entry) {
  uint8_t flags = static_cast<uint8_t>(entry.qos);
  if (entry.retain) flags |= kRetain;
  if (entry.released) flags |= kReleased;
  if (entry.expires_at != 0) flags |= kExpires;
  if (!entry.group.empty()) flags |= kShared;
  if (!entry.identifiers.empty()) flags |= kIdentified;
  if (entry.is_sole) flags |= kSole;
  return flags;
}

void append_entry(const QueueEntry& entry, std::string& out) {
  const uint8_t flags = flags_of(entry);
  out += static_cast<char>(entry.number % Queue::kSegment);
  out += static_cast<char>(flags);
  append_varint(entry.body, out);
  append_varint(entry.size, out);
  if (flags & kExpires) append_varint(entry.expires_at, out);
  if (flags & kShared) append_sized(entry.group, out);
  if (!(flags & kIdentified)) return;
  append_varint(entry.identifiers.size(), out);
  for (const uint32_t identifier : entry.identifiers) append_varint(identifier, out);
}

QueueEntry read_queue_entry(WireSource& source, uint64_t first) {
  QueueEntry entry;
  entry.number = first + source.fixed<uint8_t>();
  const uint8_t flags = source.fixed<uint8_t>();
  entry.qos = static_cast<Qos>(flags & kQosMask);
  entry.retain = (flags & kRetain) != 0;
  entry.released = (flags & kReleased) != 0;
  entry.is_sole = (flags & kSole) != 0;
  entry.body = source.varint();
  entry.size = source.varint();
  if (flags & kExpires) entry.expires_at = source.varint();
  if (flags & kShared) entry.group = source.sized_text();
  if (flags & kIdentified) {
    for (uint64_t left = source.varint(); left != 0 && source.ok(); --left) {
      entry.identifiers.push_back(static_cast<uint32_t>(source.varint()));
    }
  }
  return entry;
}

}  // namespace

Queue::Queue(Tables& tables, Key prefix, QueueState& state)
    : tables_(tables), prefix_(std::move(prefix)), state_(state) {}

std::string Queue::key_of(uint64_t segment) const { return Key(prefix_).number(segment); }

void Queue::load(uint64_t segment) {
  if (segment == loaded_) return;
  flush();
  loaded_ = segment;
  entries_.clear();
  std::string bytes;
  if (!tables_.get_bytes(key_of(segment), bytes)) return;
  WireSource source(bytes_of(bytes));
  while (source.ok() && source.left() != 0) {
    entries_.push_back(read_queue_entry(source, segment * kSegment));
  }
  SHOAL_ASSERT(source.ok() || !tables_.values().is_healthy());
}

void Queue::flush() {
  if (!changed_) return;
  changed_ = false;
  std::string bytes;
  for (const QueueEntry& entry : entries_) append_entry(entry, bytes);
  if (bytes.empty()) {
    tables_.remove(key_of(loaded_));
  } else {
    tables_.put_bytes(key_of(loaded_), bytes);
  }
}

Queue::Entries::iterator Queue::at(uint64_t number) {
  load(number / kSegment);
  return std::lower_bound(entries_.begin(), entries_.end(), number,
                          [](const QueueEntry& entry, uint64_t n) { return entry.number < n; });
}

uint64_t Queue::append(QueueEntry entry) {
  const uint64_t number = state_.tail++;
  entry.number = number;
  ++state_.queued;
  state_.bytes += entry.size;
  const uint64_t segment = number / kSegment;
  if (segment == loaded_) {
    entries_.push_back(std::move(entry));
    changed_ = true;
    return number;
  }
  const std::string key = key_of(segment);
  std::string bytes;
  tables_.get_bytes(key, bytes);
  append_entry(entry, bytes);
  tables_.put_bytes(key, bytes);
  return number;
}

const QueueEntry* Queue::find(uint64_t number) {
  if (number < state_.head || number >= state_.tail) return nullptr;
  const auto found = at(number);
  return found != entries_.end() && found->number == number ? &*found : nullptr;
}

const QueueEntry* Queue::next(uint64_t number) {
  uint64_t from = std::max(number, state_.head);
  while (from < state_.tail) {
    if (from >= state_.window_end) from = std::max(from, state_.unsent);
    const auto found = at(from);
    if (found != entries_.end()) return &*found;
    from = (from / kSegment + 1) * kSegment;
  }
  return nullptr;
}

void Queue::release(uint64_t number) {
  const auto found = at(number);
  SHOAL_ASSERT(found != entries_.end() && found->number == number);
  found->released = true;
  found->body = 0;
  changed_ = true;
}

QueueEntry Queue::remove(uint64_t number) {
  const auto found = at(number);
  SHOAL_ASSERT(found != entries_.end() && found->number == number);
  QueueEntry entry = std::move(*found);
  entries_.erase(found);
  changed_ = true;
  --state_.queued;
  state_.bytes -= entry.size;
  if (number < state_.window_end) --state_.in_window;
  if (number == state_.unsent) ++state_.unsent;
  if (number != state_.head) return entry;
  const QueueEntry* const head = next(number + 1);
  state_.head = head ? head->number : state_.tail;
  state_.window_end = std::max(state_.window_end, state_.head);
  state_.unsent = std::max(state_.unsent, state_.window_end);
  return entry;
}

}  // namespace shoal::shard
