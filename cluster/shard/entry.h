// Log entries of a shard: the ops of one turn, packed. docs/decisions/0001-durable-sessions.md has
// what each does. The texts of an op are views: of what was given to the builder, or of the entry.
//
//   entry := version, header, op*
//   header := size, fields: 1 stamp
//   op := kind, size, fields: 1 source, the others as listed
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cluster/shard/fields.h"
#include "cluster/shard/op_parts.h"
#include "shoal/types.h"

namespace shoal::shard {

constexpr uint8_t kEntryVersion = 1;
// What this program can apply. A state's own level is raised by FeatureOp, once every member can.
constexpr uint32_t kFeatureLevel = 2;
constexpr uint32_t kRecoveredLevel = 2;  // has RecoveredOp

struct ConnectOp {
  static constexpr uint32_t kKind = 1;
  std::string_view client_id;
  std::string_view user;
  NodeId node;
  uint64_t incarnation = 0;
  WorkerIndex worker = 0;
  uint16_t receive_maximum = 0;  // of both sides the lower; at least 1
  uint32_t expiry_s = 0;
  bool clean_start = false;
  std::optional<WillSpec> will;
  // Stamp of the connection's claim (shoal/types.h): an older one comes too late.
  uint64_t claim_counter = 0;
  NodeId claim_node;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.client_id);
    f(3, self.user);
    f(4, self.node);
    f(5, self.incarnation);
    f(6, self.worker);
    f(7, self.receive_maximum);
    f(8, self.expiry_s);
    f(9, self.clean_start);
    f(10, self.will);
    f(11, self.claim_counter);
    f(12, self.claim_node);
  }
};

struct DetachOp {
  static constexpr uint32_t kKind = 2;
  std::string_view client_id;
  OpPlace epoch = 0;
  bool discards_will = false;  // DISCONNECT with Normal disconnection
  std::optional<uint32_t> expiry_s;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.client_id);
    f(3, self.epoch);
    f(4, self.discards_will);
    f(5, self.expiry_s);
  }
};

struct SubscribeOp {
  static constexpr uint32_t kKind = 3;
  std::string_view client_id;
  OpPlace epoch = 0;
  std::vector<FilterSpec> filters;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.client_id);
    f(3, self.epoch);
    f(4, self.filters);
  }
};

struct UnsubscribeOp {
  static constexpr uint32_t kKind = 4;
  std::string_view client_id;
  OpPlace epoch = 0;
  std::vector<std::string_view> filters;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.client_id);
    f(3, self.epoch);
    f(4, self.filters);
  }
};

struct PublishOp {
  static constexpr uint32_t kKind = 5;
  MessageSpec message;
  // The shared subscription that it was picked for, of this shard's; at any QoS. Empty: it is for all
  // plain ones.
  std::string_view group = {};
  std::optional<PickedItem> item = {};  // what it is picked for is told once

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.message);
    f(6, self.group);
    f(7, self.item);
  }
};

enum class AckKind : uint8_t { kPuback, kPubrec, kPubrecRefused, kPubcomp };

struct AckOp {
  static constexpr uint32_t kKind = 6;
  std::string_view client_id;
  OpPlace epoch = 0;
  std::vector<uint64_t> acks;  // each by ack()

  static uint64_t ack(uint64_t number, AckKind kind) {
    return number << 2 | static_cast<uint64_t>(kind);
  }
  static uint64_t number_of(uint64_t ack) { return ack >> 2; }
  static AckKind kind_of(uint64_t ack) { return static_cast<AckKind>(ack & 3); }

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.client_id);
    f(3, self.epoch);
    f(4, self.acks);
  }
};

struct ReceiveOp {
  static constexpr uint32_t kKind = 7;
  std::string_view client_id;
  OpPlace epoch = 0;
  uint16_t packet_id = 0;
  MessageSpec message;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.client_id);
    f(3, self.epoch);
    f(4, self.packet_id);
    f(5, self.message);
  }
};

struct ReleaseOp {
  static constexpr uint32_t kKind = 8;
  std::string_view client_id;
  OpPlace epoch = 0;
  uint16_t packet_id = 0;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.client_id);
    f(3, self.epoch);
    f(4, self.packet_id);
  }
};

struct OutboxInOp {
  static constexpr uint32_t kKind = 9;
  uint32_t source_shard = 0;
  uint64_t number = 0;
  uint64_t previous = 0;  // the item before it that went here and is not answered; 0: none
  OutboxItem item;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.source_shard);
    f(3, self.number);
    f(4, self.previous);
    f(6, self.item);
  }
};

struct OutboxDoneOp {
  static constexpr uint32_t kKind = 10;
  std::vector<uint64_t> numbers;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.numbers);
  }
};

// Where a message goes of each of these shared subscriptions, before it goes there: another leader
// picks none of them anew.
struct OutboxPickedOp {
  static constexpr uint32_t kKind = 17;
  uint64_t number = 0;
  std::vector<OutboxPick> picks;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.number);
    f(3, self.picks);
  }
};

// Messages of which the subscription's QoS leaves nothing (QoS 0) are not among these: they go by the
// live path.
struct ReplayPortionOp {
  static constexpr uint32_t kKind = 11;
  std::string_view client_id;
  std::string_view filter;
  OpPlace replay = 0;
  std::string_view from;  // the cursor as the portion was read
  std::string_view next;
  bool done = false;
  std::vector<MessageSpec> messages;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.client_id);
    f(3, self.filter);
    f(4, self.replay);
    f(5, self.from);
    f(6, self.next);
    f(7, self.done);
    f(8, self.messages);
  }
};

struct TakeOp {
  static constexpr uint32_t kKind = 12;
  std::string_view group;
  std::string_view client_id;
  OpPlace version = 0;
  uint32_t count = 0;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.group);
    f(3, self.client_id);
    f(4, self.version);
    f(5, self.count);
  }
};

struct TickOp {
  static constexpr uint32_t kKind = 13;

  template <class Self, class Fields>
  static void visit(Self&, Fields&) {}
};

struct LimitsOp {
  static constexpr uint32_t kKind = 14;
  ShardLimits limits;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.limits);
  }
};

struct FeatureOp {
  static constexpr uint32_t kKind = 15;
  uint32_t level = 0;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.level);
  }
};

struct ForgetNodeOp {
  static constexpr uint32_t kKind = 16;
  NodeId node;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.node);
  }
};

// A piece of a payload whose op comes later: they come in order, and one that came before changes
// nothing. All but the last are as long as the first.
struct PieceOp {
  static constexpr uint32_t kKind = 18;
  Upload upload;
  uint64_t offset = 0;
  uint64_t total = 0;  // bytes of the payload
  std::string_view bytes;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.upload);
    f(3, self.offset);
    f(4, self.total);
    f(5, self.bytes);
  }
};

// Nobody goes on with what incarnations of the node before this one began.
struct DropUploadsOp {
  static constexpr uint32_t kKind = 19;
  NodeId node;
  uint64_t before = 0;

  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(2, self.node);
    f(3, self.before);
  }
};

// The shard goes on from a replica that may lack the last entries, of which others may know: numbers that
// they compare (outbox items, places of ops) go on so far above that none is given twice.
struct RecoveredOp {
  static constexpr uint32_t kKind = 20;
  static constexpr uint64_t kRoom = uint64_t{1} << 32;

  template <class Self, class Fields>
  static void visit(Self&, Fields&) {}
};

// `std::monostate`: an op that this program cannot read.
using Op = std::variant<std::monostate, ConnectOp, DetachOp, SubscribeOp, UnsubscribeOp, PublishOp,
                        AckOp, ReceiveOp, ReleaseOp, OutboxInOp, OutboxDoneOp, ReplayPortionOp,
                        TakeOp, TickOp, LimitsOp, FeatureOp, ForgetNodeOp, OutboxPickedOp, PieceOp,
                        DropUploadsOp, RecoveredOp>;

// As it stands in an entry.
template <class AnyOp>
void append_op(const AnyOp& op, const std::optional<Source>& source, std::string& out) {
  std::string fields;
  FieldWriter writer(fields);
  writer(1, source);
  AnyOp::visit(op, writer);
  append_varint(AnyOp::kKind, out);
  append_sized(fields, out);
}

class EntryBuilder {
 public:
  explicit EntryBuilder(uint64_t stamp);

  template <class AnyOp>
  void add(const AnyOp& op, const std::optional<Source>& source = std::nullopt) {
    append_op(op, source, bytes_);
    ++ops_;
  }
  // `count` ops that append_op() made.
  void add_encoded(std::string_view ops, uint32_t count) {
    bytes_ += ops;
    ops_ += count;
  }

  uint32_t ops() const { return ops_; }
  size_t size() const { return bytes_.size(); }
  std::string finish() { return std::move(bytes_); }

 private:
  std::string bytes_;
  uint32_t ops_ = 0;
};

struct EntryOp {
  std::optional<Source> source;
  Op op;
};

struct Entry {
  enum class Outcome : uint8_t { kRead, kMalformed, kTooNew };
  uint64_t stamp = 0;
  std::vector<EntryOp> ops;
};

Entry::Outcome read_entry(std::string_view bytes, Entry& entry);

}  // namespace shoal::shard
