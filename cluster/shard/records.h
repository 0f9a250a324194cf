// The values of the state store.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/shard/entry.h"
#include "cluster/shard/fields.h"
#include "shoal/types.h"

namespace shoal::shard {

using BodyId = uint64_t;  // ascending in a shard; 0: none

// Why a message was dropped that a session, or a shared subscription, was to get.
enum class DropReason : uint8_t {
  kExpired,
  kOldest,      // over the limit: it was the oldest
  kNew,         // over the limit: it was the new one
  kShardFull,   // the shard's bodies are over their limit
  kGroupEnded,  // the last member of a shared subscription went
  kSharedSent,  // QoS 2 and possibly sent to a member that is gone [MQTT5-4.8.2-5]
};
constexpr size_t kDropReasons = 6;

// Why an op or an entry changed nothing.
enum class SkipReason : uint8_t {
  kMalformed,
  kStaleEpoch,
  kNoSession,
  kRepeat,     // of a source's number, or of another shard's outbox
  kGap,        // numbers before it are missing
  kOldLife,    // of a source that has begun anew
  kNotWaited,  // an acknowledgement or cursor that nothing waits for
};
constexpr size_t kSkipReasons = 7;

// head <= window_end <= unsent <= tail. Unfinished numbers below window_end are possibly sent. Those
// from unsent on never were, and none of them is finished; what lies between was dropped unsent, which
// may be any number of messages while a client that is away has not acknowledged its first.
struct QueueState {
  uint64_t head = 0;  // the lowest unfinished number; tail without one
  uint64_t tail = 0;
  uint64_t window_end = 0;
  uint64_t unsent = 0;
  uint32_t in_window = 0;  // unfinished numbers below window_end
  uint32_t queued = 0;     // unfinished numbers
  uint64_t bytes = 0;      // of their messages

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.head);
    f(2, self.tail);
    f(3, self.window_end);
    f(4, self.unsent);
    f(5, self.in_window);
    f(6, self.queued);
    f(7, self.bytes);
  }

  static QueueState starting_at(uint64_t number) { return {number, number, number, number}; }
};

// A large payload stands beside its message, under keys of its own, so that no step with it has to be
// a large one.
struct Pieces {
  uint64_t bytes = 0;  // of all
  uint64_t each = 0;   // of all but the last
  uint64_t hash = 0;   // the sum over their keys, so that they go without being read
  bool operator==(const Pieces&) const = default;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.bytes);
    f(2, self.each);
    f(3, self.hash);
  }
};

// A payload that comes in pieces, until its op takes it.
struct UploadRecord {
  BodyId body = 0;  // that it will be of
  uint64_t total = 0;
  Pieces pieces;  // that are here

  bool is_whole() const { return pieces.bytes == total; }

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.body);
    f(2, self.total);
    f(3, self.pieces);
  }
};

// Its references are kept apart (KeyKind::kReferences) where there is more than one, so that a large
// message is not written again for each queue that it leaves.
struct Body {
  std::string topic;
  std::string properties;
  std::string payload;
  Qos qos = Qos::k0;
  bool retain = false;
  uint64_t publisher = 0;
  uint64_t expires_at = 0;            // stamp; 0: never
  std::optional<Pieces> pieces = {};  // instead of the payload

  uint64_t size() const {
    return topic.size() + properties.size() + payload.size() + (pieces ? pieces->bytes : 0);
  }

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.topic);
    f(2, self.properties);
    f(3, self.payload);
    f(4, self.qos);
    f(5, self.retain);
    f(6, self.publisher);
    f(7, self.expires_at);
    f(8, self.pieces);
  }
};

// Of a Body, for who has no use for the rest.
struct BodyPieces {
  std::optional<Pieces> pieces = {};

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(8, self.pieces);
  }
};

struct References {
  uint32_t count = 0;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.count);
  }
};

struct WillRecord {
  BodyId body = 0;
  uint32_t delay_s = 0;
  std::optional<uint32_t> expiry_s;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.body);
    f(2, self.delay_s);
    f(3, self.expiry_s);
  }
};

struct SessionRecord {
  std::string user;
  OpPlace epoch = 0;
  bool attached = false;
  NodeId node;
  uint64_t incarnation = 0;
  WorkerIndex worker = 0;
  uint16_t receive_maximum = 0;
  uint32_t expiry_s = 0;
  // Of its last Connect, for an answer to one that is submitted again: the source's number, and
  // whether there was a session.
  uint64_t connect_number = 0;
  bool resumed = false;
  QueueState queue;
  uint64_t resend_end = 0;  // numbers below it were possibly sent on an earlier connection
  std::optional<WillRecord> will;
  uint64_t will_at = 0;  // stamps; 0: no such date
  uint64_t expires_at = 0;
  uint64_t timer = 0;  // the date in KeyKind::kTimer
  uint32_t subscriptions = 0;
  uint32_t shared_subscriptions = 0;  // of them
  uint32_t replays = 0;
  uint32_t received = 0;        // QoS 2 identifiers
  std::vector<uint64_t> drops;  // by DropReason; empty: none yet
  uint64_t claim_counter = 0;   // of its last Connect
  NodeId claim_node;

  Stamp claim() const { return {claim_counter, claim_node}; }

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.user);
    f(2, self.epoch);
    f(3, self.attached);
    f(4, self.node);
    f(5, self.incarnation);
    f(6, self.worker);
    f(7, self.receive_maximum);
    f(8, self.expiry_s);
    f(9, self.connect_number);
    f(10, self.resumed);
    f(11, self.queue);
    f(12, self.resend_end);
    f(13, self.will);
    f(14, self.will_at);
    f(15, self.expires_at);
    f(16, self.timer);
    f(17, self.subscriptions);
    f(18, self.shared_subscriptions);
    f(19, self.replays);
    f(20, self.received);
    f(21, self.drops);
    f(22, self.claim_counter);
    f(23, self.claim_node);
  }
};

struct SubscriptionRecord {
  Qos qos = Qos::k0;
  bool no_local = false;
  bool retain_as_published = false;
  uint32_t identifier = 0;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.qos);
    f(2, self.no_local);
    f(3, self.retain_as_published);
    f(4, self.identifier);
  }
};

struct ReplayRecord {
  OpPlace id = 0;
  std::string cursor;  // what the leader makes of it: which shard, behind which topic
  SubscriptionRecord subscription;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.id);
    f(2, self.cursor);
    f(3, self.subscription);
  }
};

struct GroupRecord {
  QueueState returned;  // taken first
  QueueState fresh;
  uint32_t members = 0;
  uint32_t online = 0;  // of them

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.returned);
    f(2, self.fresh);
    f(3, self.members);
    f(4, self.online);
  }
};

struct MemberRecord {
  OpPlace version = 0;
  bool online = false;
  bool retain_as_published = false;
  Qos qos = Qos::k0;
  uint32_t identifier = 0;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.version);
    f(2, self.online);
    f(3, self.retain_as_published);
    f(4, self.qos);
    f(5, self.identifier);
  }
};

struct OutboxRecord {
  OutboxKind kind = OutboxKind::kMessage;
  std::string group;
  std::string client_id;
  OpPlace version = 0;
  bool present = false;
  bool online = false;
  bool retain_as_published = false;
  Qos qos = Qos::k0;
  uint32_t identifier = 0;
  BodyId body = 0;
  uint64_t expires_at = 0;  // instead of the body's, if it is not 0
  bool is_will = false;
  std::vector<OutboxPick> picks = {};  // of shared subscriptions, each once

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
    f(10, self.body);
    f(11, self.expires_at);
    f(12, self.is_will);
    f(13, self.picks);
  }
};

struct SourceMark {
  uint64_t incarnation = 0;
  uint64_t number = 0;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.incarnation);
    f(2, self.number);
  }
};

struct OutboxMark {
  uint64_t number = 0;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.number);
  }
};

// Of another shard's outbox: picks for items below it are not taken any more.
struct PickMark {
  uint64_t least = 0;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.least);
  }
};

// Of the shard.
struct MetaRecord {
  uint64_t applied = 0;  // index of the last entry
  uint64_t stamp = 0;
  uint32_t level = 0;
  ShardLimits limits;
  BodyId last_body = 0;
  uint64_t last_outbox = 0;
  uint32_t outbox = 0;  // items in it
  uint64_t sessions = 0;
  uint64_t queued = 0;  // messages in all queues
  uint64_t bodies = 0;
  uint64_t bodies_bytes = 0;
  uint64_t hash = 0;            // of all keys but this record's
  std::vector<uint64_t> drops;  // by DropReason
  std::vector<uint64_t> skips;  // by SkipReason
  uint32_t uploads = 0;         // payloads whose ops have not come
  uint64_t attached = 0;        // sessions whose clients are connected
  uint64_t expired = 0;         // sessions that ended because nobody came back in time
  uint64_t place_base = 0;      // added to an index where it names an op's place

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.applied);
    f(2, self.stamp);
    f(3, self.level);
    f(4, self.limits);
    f(5, self.last_body);
    f(6, self.last_outbox);
    f(7, self.outbox);
    f(8, self.sessions);
    f(10, self.queued);
    f(11, self.bodies);
    f(12, self.bodies_bytes);
    f(13, self.hash);
    f(14, self.drops);
    f(15, self.skips);
    f(16, self.uploads);
    f(17, self.attached);
    f(18, self.expired);
    f(19, self.place_base);
  }
};

inline void count(std::vector<uint64_t>& counts, size_t kinds, size_t kind) {
  if (counts.empty()) counts.resize(kinds);
  ++counts[kind];
}

}  // namespace shoal::shard
