// What ops are made of. Texts are views: of what was given to the builder, or of the entry.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cluster/shard/fields.h"
#include "shoal/types.h"

namespace shoal::shard {

// Ops that an entry can hold: their positions are the lower bits of an OpPlace.
constexpr uint32_t kPositionBits = 20;
// Where an op stands in its shard's log: (index + MetaRecord::place_base) << kPositionBits | position.
// Position 0 is what time alone brought about. Names epochs, replays and versions of memberships.
using OpPlace = uint64_t;

// Whose op this is, if a worker submitted it: numbers ascend by one per (node, worker) and shard, from
// 1 in each incarnation.
struct Source {
  NodeId node;
  uint64_t incarnation = 0;
  WorkerIndex worker = 0;
  uint64_t number = 0;
  bool operator==(const Source&) const = default;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.node);
    f(2, self.incarnation);
    f(3, self.worker);
    f(4, self.number);
  }
};

// A payload that goes before its op, in pieces (PieceOp): whose, and which of them. Numbers of a worker
// are its node's own for each shard, those of a shard are its outbox's.
struct Upload {
  NodeId node;  // none: `from` is a shard
  uint64_t incarnation = 0;
  uint32_t from = 0;  // a worker
  uint64_t number = 0;
  bool operator==(const Upload&) const = default;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.node);
    f(2, self.incarnation);
    f(3, self.from);
    f(4, self.number);
  }
};

// An application message. `expiry_s` runs from the op's stamp on; what comes from another shard has
// its date already.
struct MessageSpec {
  std::string_view topic;
  std::string_view properties;  // as MessageView has them
  std::string_view payload;
  Qos qos = Qos::k0;
  bool retain = false;
  uint64_t publisher = 0;  // client_id_hash
  std::optional<uint32_t> expiry_s;
  uint64_t expires_at = 0;            // stamp; 0: never
  std::optional<Upload> upload = {};  // instead of the payload

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.topic);
    f(2, self.properties);
    f(3, self.payload);
    f(4, self.qos);
    f(5, self.retain);
    f(6, self.publisher);
    f(7, self.expiry_s);
    f(8, self.expires_at);
    f(10, self.upload);
  }
};

struct WillSpec {
  MessageSpec message;  // its expiry_s runs from its publication on
  uint32_t delay_s = 0;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.message);
    f(2, self.delay_s);
  }
};

constexpr uint32_t kNeverExpires = UINT32_MAX;  // Session Expiry Interval

struct FilterSpec {
  std::string_view filter;
  Qos qos = Qos::k0;
  bool no_local = false;
  bool retain_as_published = false;
  uint32_t identifier = 0;
  bool replay = false;  // retained messages are owed

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.filter);
    f(2, self.qos);
    f(3, self.no_local);
    f(4, self.retain_as_published);
    f(5, self.identifier);
    f(6, self.replay);
  }
};

// What a shard asks of others, in the order of its numbers.
enum class OutboxKind : uint8_t {
  kMessage,     // publish it: to shards, and to live sessions; of a group, to who shares that alone
  kMembership,  // to the group's shard
  kDelivery,    // of a shared subscription, to the member's shard
  kReturn,      // back to the group's shard: the member is gone
};

struct OutboxItem {
  OutboxKind kind = OutboxKind::kMessage;
  std::string_view group;      // "$share/NAME/FILTER"
  std::string_view client_id;  // the member
  OpPlace version = 0;         // of the membership
  bool present = false;
  bool online = false;
  bool retain_as_published = false;
  Qos qos = Qos::k0;        // granted; of a delivery what it is delivered at
  uint32_t identifier = 0;  // Subscription Identifier
  std::optional<MessageSpec> message;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.kind);
    f(2, self.group);
    f(3, self.client_id);
    f(4, self.version);
    f(5, self.present);
    f(6, self.online);
    f(7, self.retain_as_published);
    f(8, self.qos);
    f(9, self.identifier);
    f(10, self.message);
  }
};

// The place that was picked of a shared subscription, for one message.
struct OutboxPick {
  std::string group;  // "$share/NAME/FILTER"
  NodeId node;        // none: `worker` is a shard
  WorkerIndex worker = 0;
  uint64_t life = 0;  // of the node: with it the member went that may have the message
  bool operator==(const OutboxPick&) const = default;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.group);
    f(2, self.node);
    f(3, self.worker);
    f(4, self.life);
  }
};

// The item of an outbox that a shared subscription's pick was made for. Whoever leads that outbox sends
// it until it is answered; below `least` nothing is sent again but by leaders that are none any more.
struct PickedItem {
  uint32_t source_shard = 0;
  uint64_t number = 0;
  uint64_t least = 0;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.source_shard);
    f(2, self.number);
    f(3, self.least);
  }
};

// Of a shard; 0: none.
struct ShardLimits {
  uint32_t queued_max = 0;        // messages waiting for one session, or one shared subscription
  uint64_t queued_bytes_max = 0;  // and their bytes
  bool rejects_new = false;       // past it the new message goes; otherwise the oldest
  uint64_t bodies_bytes_max = 0;  // all messages of the shard
  bool operator==(const ShardLimits&) const = default;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.queued_max);
    f(2, self.queued_bytes_max);
    f(3, self.rejects_new);
    f(4, self.bodies_bytes_max);
  }
};

}  // namespace shoal::shard
