// The unfinished messages of a session, or of one lane of a shared subscription, by number. Segments
// of kSegment numbers are a key each; QueueState, which its owner keeps, says where they begin, so that
// nothing is ever found by scanning.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/shard/records.h"
#include "cluster/shard/tables.h"

namespace shoal::shard {

struct QueueEntry {
  uint64_t number = 0;
  BodyId body = 0;  // 0: released, the message is not needed any more
  uint64_t expires_at = 0;
  uint64_t size = 0;  // of the message
  Qos qos = Qos::k1;
  bool retain = false;
  bool released = false;              // PUBREC is committed, PUBCOMP is to come
  bool is_sole = false;               // for certain nothing else refers to its body
  std::string group;                  // "$share/NAME/FILTER" that it was taken from
  std::vector<uint32_t> identifiers;  // Subscription Identifiers, ascending
  bool operator==(const QueueEntry&) const = default;
};

class Queue {
 public:
  static constexpr uint64_t kSegment = 128;
  // Of one connection; a number mod it, plus 1, is the packet identifier [MQTT5-2.2.1-4]
  // [MQTT311-2.3.1-4].
  static constexpr uint64_t kPacketIds = 65'535;

  // `prefix`: the owner's keys, to which a segment's number is added. Both outlive this.
  Queue(Tables& tables, Key prefix, QueueState& state);
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  QueueState& state() { return state_; }
  // Takes the next number, which it returns.
  uint64_t append(QueueEntry entry);
  // Null: finished. Until the next call.
  const QueueEntry* find(uint64_t number);
  // The lowest unfinished one from `number` on; null: none.
  const QueueEntry* next(uint64_t number);
  void release(uint64_t number);
  // Void afterwards: all that find() gave.
  QueueEntry remove(uint64_t number);
  // Removes all: visit(QueueEntry).
  template <class Visit>
  void clear(Visit&& visit) {
    while (const QueueEntry* entry = next(state_.head)) visit(remove(entry->number));
  }
  // Once, when all is done.
  void flush();

 private:
  using Entries = std::vector<QueueEntry>;

  std::string key_of(uint64_t segment) const;
  Entries::iterator at(uint64_t number);
  void load(uint64_t segment);

  Tables& tables_;
  Key prefix_;
  QueueState& state_;
  Entries entries_;  // of the segment loaded
  uint64_t loaded_ = UINT64_MAX;
  bool changed_ = false;
};

inline uint16_t packet_id_of(uint64_t number) {
  return static_cast<uint16_t>(number % Queue::kPacketIds + 1);
}

}  // namespace shoal::shard
