// Log entries of shards, one with each op, and the values of the state store. Samples are made and read
// by the lists of fields that each has (cluster/shard/fields.h).
#include <deque>

#include "cluster/shard/entry.h"
#include "cluster/shard/records.h"
#include "tests/recorded/recording.h"

namespace shoal::recorded {
namespace {

using namespace shard;

// Gives every field a value of its own.
class FieldFiller {
 public:
  template <Number T>
  void operator()(uint32_t, T& value) {
    value = number<T>();
  }
  void operator()(uint32_t, NodeId& value) { value.value = number<uint64_t>(); }
  template <Text T>
  void operator()(uint32_t, T& value) {
    value = text();
  }
  template <class T>
  void operator()(uint32_t tag, std::optional<T>& value) {
    (*this)(tag, value.emplace());
  }
  template <class T>
  void operator()(uint32_t tag, std::vector<T>& values) {
    for (int i = 0; i < 2; ++i) (*this)(tag, values.emplace_back());
  }
  template <class T>
    requires std::is_class_v<T> && (!Text<T>)
  void operator()(uint32_t, T& record) {
    T::visit(record, *this);
  }

 private:
  template <Number T>
  T number() {
    ++last_;
    if constexpr (std::same_as<T, bool>) {
      return true;
    } else if constexpr (std::is_enum_v<T>) {
      return static_cast<T>(1 + last_ % 2);
    } else {
      constexpr unsigned kBits = sizeof(T) * 8;
      return static_cast<T>((kBits > 8 ? uint64_t{1} << (kBits / 2 + 4) : 0) + last_);
    }
  }
  std::string_view text() {
    return texts_.emplace_back("text " + std::to_string(++last_) + std::string("\0\xff", 2));
  }

  uint64_t last_ = 0;
  std::deque<std::string> texts_;  // of views
};

// A line for each field that is not at its default.
class FieldText {
 public:
  explicit FieldText(std::string indent = "") : indent_(std::move(indent)) {}
  std::string says;

  template <Number T>
  void operator()(uint32_t tag, T value) {
    if (static_cast<uint64_t>(value) != 0) line(tag, std::to_string(static_cast<uint64_t>(value)));
  }
  void operator()(uint32_t tag, NodeId value) { (*this)(tag, value.value); }
  template <Text T>
  void operator()(uint32_t tag, const T& text) {
    if (!text.empty()) line(tag, shown(text));
  }
  template <Number T>
  void operator()(uint32_t tag, const std::optional<T>& value) {
    if (value) line(tag, "is " + std::to_string(static_cast<uint64_t>(*value)));
  }
  template <class T>
  void operator()(uint32_t tag, const std::optional<T>& value) {
    if (value) (*this)(tag, *value);
  }
  template <class T>
  void operator()(uint32_t tag, const std::vector<T>& values) {
    for (const T& value : values) (*this)(tag, value);
  }
  template <class T>
    requires std::is_class_v<T> && (!Text<T>)
  void operator()(uint32_t tag, const T& record) {
    line(tag, "record");
    FieldText inner(indent_ + "  ");
    T::visit(record, inner);
    says += inner.says;
  }

 private:
  void line(uint32_t tag, const std::string& value) {
    says += indent_ + std::to_string(tag) + " " + value + "\n";
  }

  std::string indent_;
};

template <class Record>
std::string says_of_record(const Record& record, const std::string& indent = "") {
  FieldText text(indent);
  Record::visit(record, text);
  return text.says;
}

// ---- entries ------------------------------------------------------------------------------------

template <class AnyOp>
Kind entry_with(const char* name) {
  Kind kind{.name = std::string("entry-") + name, .make = {}, .read = {}};
  kind.make = []() -> Frames {
    FieldFiller filler;
    Source source;
    AnyOp op;
    filler(1, source);
    AnyOp::visit(op, filler);
    EntryBuilder builder(1'700'000'000'123);
    builder.add(op, source);
    return {builder.finish()};
  };
  kind.read = [](const Frames& frames) -> std::optional<Reading> {
    Entry entry;
    if (read_entry(frames[0], entry) != Entry::Outcome::kRead) return std::nullopt;
    Reading reading{"stamp " + std::to_string(entry.stamp) + "\n", {}};
    EntryBuilder builder(entry.stamp);
    for (const EntryOp& each : entry.ops) {
      const auto* const op = std::get_if<AnyOp>(&each.op);
      if (op == nullptr || !each.source) return std::nullopt;
      reading.says += "op " + std::to_string(AnyOp::kKind) + "\n  source\n" +
                      says_of_record(*each.source, "    ") + says_of_record(*op, "  ");
      builder.add(*op, each.source);
    }
    reading.again = {builder.finish()};
    return reading;
  };
  return kind;
}

void add_entries(std::vector<Kind>& kinds) {
  static_assert(std::variant_size_v<Op> == 21, "a new op needs a line here");
  kinds.push_back(entry_with<ConnectOp>("connect"));
  kinds.push_back(entry_with<DetachOp>("detach"));
  kinds.push_back(entry_with<SubscribeOp>("subscribe"));
  kinds.push_back(entry_with<UnsubscribeOp>("unsubscribe"));
  kinds.push_back(entry_with<PublishOp>("publish"));
  kinds.push_back(entry_with<AckOp>("ack"));
  kinds.push_back(entry_with<ReceiveOp>("receive"));
  kinds.push_back(entry_with<ReleaseOp>("release"));
  kinds.push_back(entry_with<OutboxInOp>("outbox-in"));
  kinds.push_back(entry_with<OutboxDoneOp>("outbox-done"));
  kinds.push_back(entry_with<OutboxPickedOp>("outbox-picked"));
  kinds.push_back(entry_with<ReplayPortionOp>("replay-portion"));
  kinds.push_back(entry_with<TakeOp>("take"));
  kinds.push_back(entry_with<TickOp>("tick"));
  kinds.push_back(entry_with<LimitsOp>("limits"));
  kinds.push_back(entry_with<FeatureOp>("feature"));
  kinds.push_back(entry_with<ForgetNodeOp>("forget-node"));
  kinds.push_back(entry_with<PieceOp>("piece"));
  kinds.push_back(entry_with<RecoveredOp>("recovered"));
  kinds.push_back(entry_with<DropUploadsOp>("drop-uploads"));
}

// ---- records ------------------------------------------------------------------------------------

template <class Record>
Kind record(const char* name) {
  Kind kind{.name = std::string("record-") + name, .make = {}, .read = {}};
  kind.make = []() -> Frames {
    FieldFiller filler;
    Record record;
    Record::visit(record, filler);
    std::string bytes;
    append_record(record, bytes);
    return {bytes};
  };
  kind.read = [](const Frames& frames) -> std::optional<Reading> {
    Record record;
    if (!read_record(frames[0], record)) return std::nullopt;
    Reading reading{says_of_record(record), {""}};
    append_record(record, reading.again[0]);
    return reading;
  };
  return kind;
}

}  // namespace

void add_shard(std::vector<Kind>& kinds) {
  add_entries(kinds);
  kinds.push_back(record<Body>("body"));
  kinds.push_back(record<References>("references"));
  kinds.push_back(record<UploadRecord>("upload"));
  kinds.push_back(record<SessionRecord>("session"));
  kinds.push_back(record<SubscriptionRecord>("subscription"));
  kinds.push_back(record<ReplayRecord>("replay"));
  kinds.push_back(record<GroupRecord>("group"));
  kinds.push_back(record<MemberRecord>("member"));
  kinds.push_back(record<OutboxRecord>("outbox"));
  kinds.push_back(record<SourceMark>("source-mark"));
  kinds.push_back(record<OutboxMark>("outbox-mark"));
  kinds.push_back(record<PickMark>("pick-mark"));
  kinds.push_back(record<MetaRecord>("meta"));
}

}  // namespace shoal::recorded
