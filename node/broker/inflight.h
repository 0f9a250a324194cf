// The QoS > 0 messages that one live session was sent and has not finished with.
//
// Entries stand in the order they were sent, numbered without gaps, and the packet identifier is the
// number mod 65,535, plus 1: so an acknowledgement finds its entry without a search, and an identifier
// is free again only when all that stood up to it are finished [MQTT5-2.2.1-4] [MQTT311-2.3.1-4].
// The price: one message that is never acknowledged blocks the window after 65,534 others.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "node/broker/ring.h"
#include "shoal/message.h"
#include "shoal/types.h"

namespace shoal {

struct Ticket;

// What few deliveries have.
struct DeliveryExtra {
  std::vector<uint32_t> identifiers;  // Subscription Identifiers
  std::string shared_filter;          // "$share/NAME/FILTER" that it was picked for; else empty
  // Of what it was picked for: finished when the member acknowledges.
  Ticket* ticket = nullptr;
  uint32_t first_sent_at = 0;  // in ticks
};

enum class DeliveryState : uint8_t {
  kQueued,
  kPublished,  // PUBLISH sent; PUBACK or PUBREC is to come
  kReleased,   // PUBREL sent; PUBCOMP is to come
  kFinished,
};

// A message for one session at QoS > 0.
struct Delivery {
  MessageRef message;  // null once sent, when it cannot be needed again
  std::unique_ptr<DeliveryExtra> extra;
  uint32_t sent_at = 0;  // in ticks, for retry_interval
  DeliveryState state = DeliveryState::kQueued;
  Qos qos = Qos::k1;
  bool retain = false;
};

class Inflight {
 public:
  static constexpr uint32_t kSpanMax = 65'534;

  bool empty() const { return entries_.empty(); }
  // Entries, finished ones between others included: the positions for operator[].
  uint32_t span() const { return entries_.size(); }
  uint32_t open() const { return open_; }
  bool has_room() const { return entries_.size() < kSpanMax; }
  // Of the messages that can be needed again.
  size_t held_bytes() const { return held_bytes_; }
  Delivery& operator[](uint32_t position) { return entries_[position]; }
  const Delivery& operator[](uint32_t position) const { return entries_[position]; }
  uint16_t packet_id(uint32_t position) const { return id_of(first_ + position); }
  // Numbers since the session began: of the oldest that is not finished, and of the next one.
  uint64_t first_number() const { return first_; }
  uint64_t next_number() const { return first_ + entries_.size(); }
  uint16_t next_packet_id() const { return id_of(first_ + entries_.size()); }

  Delivery& push(Delivery delivery) {
    ++open_;
    if (delivery.message) held_bytes_ += delivery.message->bytes();
    return entries_.push_back(std::move(delivery));
  }
  // It is not needed again: the client has it.
  void release_message(uint32_t position) {
    Delivery& delivery = entries_[position];
    if (!delivery.message) return;
    held_bytes_ -= delivery.message->bytes();
    delivery.message = MessageRef();
  }
  static constexpr uint32_t kNone = UINT32_MAX;
  // Its position; kNone when no open delivery has it.
  uint32_t find(uint16_t packet_id) const {
    if (packet_id == 0) return kNone;
    const uint32_t base = static_cast<uint32_t>(first_ % kIds);
    const uint32_t position = (packet_id - 1u + kIds - base) % kIds;
    if (position >= entries_.size()) return kNone;
    return entries_[position].state == DeliveryState::kFinished ? kNone : position;
  }
  // Positions shift by as many entries as leave the front.
  void finish(uint32_t position) {
    release_message(position);
    Delivery& delivery = entries_[position];
    delivery.state = DeliveryState::kFinished;
    delivery.extra.reset();
    --open_;
    while (!entries_.empty() && entries_.front().state == DeliveryState::kFinished) {
      entries_.pop_front();
      ++first_;
    }
  }

 private:
  static constexpr uint32_t kIds = 65'535;
  static uint16_t id_of(uint64_t number) { return static_cast<uint16_t>(number % kIds + 1); }

  Ring<Delivery> entries_;
  uint64_t first_ = 0;  // number of entries_[0]
  uint32_t open_ = 0;
  size_t held_bytes_ = 0;
};

}  // namespace shoal
