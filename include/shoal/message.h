// An application message on its way through the node: immutable once built, shared by reference
// between queues, workers and lanes. One allocation holds the header and, up to
// kInlinePayloadMax, the payload; a larger payload stays in the buffer that it arrived in.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "shoal/types.h"

namespace shoal {

// Bytes that several owners may hold and nobody changes any more. Atomic count: any thread.
using SharedBytes = std::shared_ptr<const uint8_t[]>;

class Message;

// An intrusive reference: one word, so that a queue entry stays small.
class MessageRef {
 public:
  MessageRef() = default;
  explicit MessageRef(Message* adopted) : message_(adopted) {}
  MessageRef(const MessageRef& other);
  MessageRef(MessageRef&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
  MessageRef& operator=(MessageRef other) noexcept {
    std::swap(message_, other.message_);
    return *this;
  }
  ~MessageRef();

  explicit operator bool() const { return message_ != nullptr; }
  const Message* get() const { return message_; }
  const Message& operator*() const { return *message_; }
  const Message* operator->() const { return message_; }
  bool operator==(const MessageRef&) const = default;

 private:
  Message* message_ = nullptr;
};

// What a message is built from, and what a forwarded record decodes to: views only.
struct MessageView {
  Qos qos = Qos::k0;    // as published
  bool retain = false;  // as published
  std::string_view topic;
  // The properties that a server forwards unaltered, in order, encoded as MQTT 5.0 has them:
  // Payload Format Indicator, Content Type, Response Topic, Correlation Data, User Properties.
  std::span<const uint8_t> properties;
  std::span<const uint8_t> payload;
  // When the Message Expiry Interval runs out on this machine's clock; never() without one.
  Instant expires_at = Instant::never();
  // Hash of the publishing client's id (client_id_hash), for No Local; 0 for the node itself.
  uint64_t publisher = 0;
};

class Message {
 public:
  static constexpr size_t kInlinePayloadMax = 16 * 1024;

  // Copies topic and properties, and the payload unless `payload_owner` is given: then `payload`
  // must point into it and is kept by reference.
  static MessageRef create(const MessageView& from, SharedBytes payload_owner = nullptr);

  Qos qos() const { return view_.qos; }
  bool retain() const { return view_.retain; }
  std::string_view topic() const { return view_.topic; }
  std::span<const uint8_t> properties() const { return view_.properties; }
  std::span<const uint8_t> payload() const { return view_.payload; }
  Instant expires_at() const { return view_.expires_at; }
  uint64_t publisher() const { return view_.publisher; }
  const MessageView& view() const { return view_; }
  // What it takes in memory, for budgets: the bytes, not their allocator's rounding.
  size_t bytes() const { return bytes_; }

  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

 private:
  friend class MessageRef;
  Message() = default;
  ~Message() = default;
  static void destroy(Message* message);

  std::atomic<uint32_t> references_{1};
  uint32_t bytes_ = 0;
  MessageView view_;
  SharedBytes payload_owner_;
};

inline MessageRef::MessageRef(const MessageRef& other) : message_(other.message_) {
  if (message_) message_->references_.fetch_add(1, std::memory_order_relaxed);
}

inline MessageRef::~MessageRef() {
  if (message_ && message_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    Message::destroy(message_);
  }
}

}  // namespace shoal
