// Frames whose body is one message of hub.proto or store.proto. The samples are made by reflection:
// every field of a message has a value of its own, and lists have two.
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include "cluster/core/frame.h"
#include "cluster/replica/store.h"
#include "proto/shoal/hub.pb.h"
#include "proto/shoal/store.pb.h"
#include "shoal/byte_view.h"
#include "tests/recorded/recording.h"

namespace shoal::recorded {
namespace {

using google::protobuf::FieldDescriptor;
using ProtoMessage = google::protobuf::Message;

class MessageFiller {
 public:
  void fill(ProtoMessage& message) {
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor& field = *message.GetDescriptor()->field(i);
      for (int left = field.is_repeated() ? 2 : 1; left > 0; --left) set(message, field);
    }
  }

 private:
  void set(ProtoMessage& to, const FieldDescriptor& field) {
    const auto& how = *to.GetReflection();
    const bool adds = field.is_repeated();
    ++last_;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_UINT32:
        return adds ? how.AddUInt32(&to, &field, last_) : how.SetUInt32(&to, &field, last_);
      case FieldDescriptor::CPPTYPE_UINT64:
        return adds ? how.AddUInt64(&to, &field, wide()) : how.SetUInt64(&to, &field, wide());
      case FieldDescriptor::CPPTYPE_INT64:
        return how.SetInt64(&to, &field, -static_cast<int64_t>(wide()));
      case FieldDescriptor::CPPTYPE_BOOL: return how.SetBool(&to, &field, true);
      case FieldDescriptor::CPPTYPE_ENUM:
        return how.SetEnumValue(&to, &field, field.enum_type()->value(1)->number());
      case FieldDescriptor::CPPTYPE_STRING:
        return adds ? how.AddString(&to, &field, text(field))
                    : how.SetString(&to, &field, text(field));
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return fill(adds ? *how.AddMessage(&to, &field) : *how.MutableMessage(&to, &field));
      default: std::abort();  // no message has such a field yet
    }
  }
  uint64_t wide() const { return (uint64_t{1} << 40) + last_; }
  std::string text(const FieldDescriptor& field) const {
    const bool is_text = field.type() == FieldDescriptor::TYPE_STRING;
    return (is_text ? "text " : std::string("\x00\xff ", 3)) + std::to_string(last_);
  }

  uint32_t last_ = 0;
};

std::string text_of_message(const ProtoMessage& message) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(message, &text);
  return text;
}

std::string bytes_of_frame(const FrameHeader& header, const ProtoMessage& message) {
  return std::string(text_of(*make_frame(header, message)));
}

std::string header_text(const FrameHeader& header) {
  return "kind " + std::to_string(static_cast<int>(header.kind)) + " flags " +
         std::to_string(header.flags) + " sender " + std::to_string(header.sender.value) +
         " incarnation " + std::to_string(header.incarnation) + " session " +
         std::to_string(header.session) + " number " + std::to_string(header.number) + " after " +
         std::to_string(header.after) + "\n";
}

template <typename Body>
Kind in_frame(const std::string& name, FrameKind kind) {
  Kind made{.name = "frame-" + name, .make = {}, .read = {}};
  made.make = [kind]() -> Frames {
    Body body;
    MessageFiller().fill(body);
    const bool is_numbered = kind >= FrameKind::kMembers;
    return {bytes_of_frame({.kind = kind,
                            .sender = NodeId{0x1122334455667788},
                            .incarnation = 7,
                            .session = 0x99aabbccddeeff01,
                            .number = is_numbered ? 300u : 0u},
                           body)};
  };
  made.read = [](const Frames& frames) -> std::optional<Reading> {
    const std::optional<ParsedFrame> frame = parse_frame(bytes_of(frames[0]));
    Body body;
    if (!frame || !body.ParseFromArray(frame->body.data(), static_cast<int>(frame->body.size()))) {
      return std::nullopt;
    }
    return Reading{header_text(frame->header) + text_of_message(body),
                   {bytes_of_frame(frame->header, body)}};
  };
  return made;
}

template <typename Record>
Kind on_disk(const std::string& name) {
  Kind made{.name = "disk-" + name, .make = {}, .read = {}};
  made.make = []() -> Frames {
    Record record;
    MessageFiller().fill(record);
    return {record.SerializeAsString()};
  };
  made.read = [](const Frames& frames) -> std::optional<Reading> {
    Record record;
    if (!record.ParseFromString(frames[0])) return std::nullopt;
    return Reading{text_of_message(record), {record.SerializeAsString()}};
  };
  return made;
}

// None: its body is no message, and another file has it. A kind that is new needs a line here.
std::optional<Kind> kind_of_frame(FrameKind kind) {
  switch (kind) {
    case FrameKind::kHello: return in_frame<proto::Hello>("hello", kind);
    case FrameKind::kRefuse: return in_frame<proto::Refuse>("refuse", kind);
    case FrameKind::kState: return in_frame<proto::State>("state", kind);
    case FrameKind::kStateAnswer: return in_frame<proto::StateAnswer>("state-answer", kind);
    case FrameKind::kLaneAck: return in_frame<proto::LaneAck>("lane-ack", kind);
    case FrameKind::kMembers: return in_frame<proto::Members>("members", kind);
    case FrameKind::kRoutesChunk: return in_frame<proto::RoutesChunk>("routes-chunk", kind);
    case FrameKind::kRoutesDelta: return in_frame<proto::RoutesDelta>("routes-delta", kind);
    case FrameKind::kRoutesWanted: return in_frame<proto::RoutesWanted>("routes-wanted", kind);
    case FrameKind::kRoutesApplied: return in_frame<proto::RoutesApplied>("routes-applied", kind);
    case FrameKind::kClaim: return in_frame<proto::Claim>("claim", kind);
    case FrameKind::kClaims: return in_frame<proto::Claims>("claims", kind);
    case FrameKind::kClaimReply: return in_frame<proto::ClaimReply>("claim-reply", kind);
    case FrameKind::kAccept: return in_frame<proto::Accept>("accept", kind);
    case FrameKind::kRetainedDigest:
      return in_frame<proto::RetainedDigest>("retained-digest", kind);
    case FrameKind::kRetainedWanted:
      return in_frame<proto::RetainedWanted>("retained-wanted", kind);
    case FrameKind::kRetainedStored:
      return in_frame<proto::RetainedStored>("retained-stored", kind);
    case FrameKind::kOutboxAnswers: return in_frame<proto::OutboxAnswers>("outbox-answers", kind);
    case FrameKind::kShardPlacement:
      return in_frame<proto::ShardPlacement>("shard-placement", kind);
    case FrameKind::kRaft:
    case FrameKind::kStore:
    case FrameKind::kBatch:
    case FrameKind::kRetained:
    case FrameKind::kOutbox: return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Kind> kind_of_store_frame(replica::StoreFrame what) {
  using replica::StoreFrame;
  const auto kind =
      static_cast<FrameKind>(static_cast<uint8_t>(FrameKind::kStore) + static_cast<uint8_t>(what));
  switch (what) {
    case StoreFrame::kRaft: return std::nullopt;
    case StoreFrame::kLeader: return in_frame<proto::ShardLeader>("store-leader", kind);
    case StoreFrame::kRequest: return in_frame<proto::StoreRequest>("store-request", kind);
    case StoreFrame::kReply: return in_frame<proto::StoreReply>("store-reply", kind);
    case StoreFrame::kRoutes: return in_frame<proto::ShardRoutes>("store-routes", kind);
    case StoreFrame::kRoutesApplied:
      return in_frame<proto::ShardRoutesApplied>("store-routes-applied", kind);
    case StoreFrame::kOps: return in_frame<proto::ShardOps>("store-ops", kind);
    case StoreFrame::kOutboxAnswer:
      return in_frame<proto::OutboxAnswer>("store-outbox-answer", kind);
    case StoreFrame::kWant: return in_frame<proto::ShareWant>("store-want", kind);
    case StoreFrame::kCopyPortion: return in_frame<proto::CopyPortion>("store-copy-portion", kind);
    case StoreFrame::kCopyAck: return in_frame<proto::CopyAck>("store-copy-ack", kind);
    case StoreFrame::kBackupAsk: return in_frame<proto::BackupAsk>("store-backup-ask", kind);
    case StoreFrame::kBackupTold: return in_frame<proto::BackupTold>("store-backup-told", kind);
    case StoreFrame::kBackupPortion:
      return in_frame<proto::BackupTold>("store-backup-portion", kind);
  }
  return std::nullopt;
}

}  // namespace

void add_frames(std::vector<Kind>& kinds) {
  for (int value = 0; value <= UINT8_MAX; ++value) {
    if (auto kind = kind_of_frame(static_cast<FrameKind>(value))) kinds.push_back(*std::move(kind));
  }
  for (int value = 0; value <= UINT8_MAX; ++value) {
    auto kind = kind_of_store_frame(static_cast<replica::StoreFrame>(value));
    if (kind) kinds.push_back(*std::move(kind));
  }
  kinds.push_back(on_disk<proto::RetainedRecord>("retained-record"));
  kinds.push_back(on_disk<proto::RetainedNote>("retained-note"));
}

}  // namespace shoal::recorded
