// The messages that the store gave to one connection: those that wait until the client has room, and
// those that it was sent and has not finished with. Both ascend by number, with gaps; the packet
// identifier is the number mod 65,535, plus 1. The store gives no number that is 65,535 above the
// oldest unfinished one, so an identifier names one of them [MQTT5-2.2.1-4] [MQTT311-2.3.1-4].
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "node/broker/ring.h"
#include "shoal/assert.h"
#include "shoal/message.h"
#include "shoal/session_store.h"
#include "shoal/types.h"

namespace shoal {

struct StoredDelivery {
  enum class State : uint8_t {
    kPublished,  // PUBLISH sent; PUBACK or PUBREC is to come
    kReceived,   // PUBREC came, and is not durable yet
    kReleased,   // PUBREL sent; PUBCOMP is to come
    kFinished,
  };
  uint64_t number = 0;
  MessageRef message;                 // null when it cannot be needed again
  std::vector<uint32_t> identifiers;  // Subscription Identifiers
  uint32_t sent_at = 0;               // in ticks, for retry_interval
  State state = State::kPublished;
  Qos qos = Qos::k1;
  bool retain = false;
  bool in_quota = false;
};

class StoredWindow {
 public:
  static uint16_t packet_id_of(uint64_t number) {
    return static_cast<uint16_t>(number % kPacketIds + 1);
  }

  // ---- what waits

  uint32_t waiting() const { return waiting_.size(); }
  void add(SessionMessage message) {
    SHOAL_ASSERT(message.number > last_);
    last_ = message.number;
    waiting_.push_back(std::move(message));
  }
  const SessionMessage& first_waiting() const { return waiting_[0]; }
  SessionMessage take_waiting() { return waiting_.pop_front(); }

  // ---- what was sent

  // Entries, finished ones between others included: the positions for operator[].
  uint32_t span() const { return sent_.size(); }
  uint32_t open() const { return open_; }
  uint16_t quota_used() const { return quota_used_; }
  // Of the messages that can be needed again.
  size_t held_bytes() const { return held_bytes_; }
  const StoredDelivery& operator[](uint32_t position) const { return sent_[position]; }
  StoredDelivery& operator[](uint32_t position) { return sent_[position]; }

  void push(StoredDelivery delivery) {
    ++open_;
    if (delivery.in_quota) ++quota_used_;
    if (delivery.message) held_bytes_ += delivery.message->bytes();
    sent_.push_back(std::move(delivery));
  }
  // An unfinished one, or null.
  StoredDelivery* find(uint16_t packet_id) {
    if (packet_id == 0 || sent_.empty()) return nullptr;
    const uint64_t first = sent_[0].number;
    return find_number(first + (packet_id - 1 + kPacketIds - first % kPacketIds) % kPacketIds);
  }
  StoredDelivery* find_number(uint64_t number) {
    uint32_t low = 0, high = sent_.size();
    while (low < high) {
      const uint32_t middle = low + (high - low) / 2;
      if (sent_[middle].number < number) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const bool found = low < sent_.size() && sent_[low].number == number;
    return found && sent_[low].state != StoredDelivery::State::kFinished ? &sent_[low] : nullptr;
  }
  void release_message(StoredDelivery& delivery) {
    if (!delivery.message) return;
    held_bytes_ -= delivery.message->bytes();
    delivery.message = MessageRef();
    delivery.identifiers = {};
  }
  // `delivery` is void then.
  void finish(StoredDelivery& delivery) {
    release_message(delivery);
    if (delivery.in_quota) --quota_used_;
    delivery.in_quota = false;
    delivery.state = StoredDelivery::State::kFinished;
    --open_;
    while (!sent_.empty() && sent_.front().state == StoredDelivery::State::kFinished) {
      sent_.pop_front();
    }
  }
  // For a connection that fell idle.
  void release_memory() {
    sent_.release_if_empty();
    waiting_.release_if_empty();
  }

 private:
  static constexpr uint64_t kPacketIds = 65'535;

  Ring<SessionMessage> waiting_;
  Ring<StoredDelivery> sent_;
  uint64_t last_ = 0;  // number
  size_t held_bytes_ = 0;
  uint32_t open_ = 0;
  uint16_t quota_used_ = 0;
};

}  // namespace shoal
