// Parcels: batches, retained messages and messages of outboxes, as Forwarding cuts them into frames and
// joins them again. The first frame of a recording came on the forward lane, the others on the bulk lane.
#include <absl/strings/str_format.h>
#include "cluster/core/forwarding.h"
#include "node/rules/forward_batch.h"
#include "shoal/byte_view.h"
#include "tests/recorded/recording.h"

namespace shoal::recorded {
namespace {

constexpr NodeId kSender{0x1122334455667788};
constexpr NodeId kReceiver{0x99};

// One end of a session.
class ParcelEnd {
 public:
  ParcelEnd(NodeId self, NodeId peer)
      : context_(config(), {.id = self, .incarnation = 7}, 1),
        members_({}),
        leases_(context_, members_),
        routes_(
            context_, [] { return std::vector<Pair*>(); }, [] { return std::vector<NodeId>(); }),
        forwarding_(context_, routes_, leases_),
        pair_(context_, peer, 1) {
    pair_.open(5);
    pair_.use_link(1);
    forwarding_.on_open(pair_);
    routes_.on_open(pair_);
    routes_.on_applied(0, 1);
    google::protobuf::RepeatedField<uint64_t> nothing;
    nothing.Resize(kLaneCount, 0);
    std::vector<uint64_t> tokens;
    pair_.on_received(nothing, true, tokens);
    context_.effects.clear();
  }

  void send(const std::vector<ForwardBatchRef>& batches) {
    for (const ForwardBatchRef& batch : batches) forwarding_.on_forward(&pair_, 0, batch);
  }
  void send(const RetainedParcel& parcel) {
    if (parcel.is_end) return forwarding_.send_retained_end(pair_);
    forwarding_.send_retained(pair_, parcel.stamp, parcel.batch, parcel.token);
  }
  void send(OutboxParcel parcel) { forwarding_.send_outbox(pair_, std::move(parcel)); }
  Frames sent() const {
    Frames frames;
    for (const HubEffects::Send& send : context_.effects.sends) {
      frames.emplace_back(text_of(*send.frame));
    }
    return frames;
  }

  // False: the frame is none that a peer sends.
  bool take(std::string_view bytes, bool is_first, OtherParcel& other) {
    const std::optional<ParsedFrame> frame = parse_frame(bytes_of(bytes));
    if (!frame) return false;
    return forwarding_.on_piece(pair_, is_first ? Lane::kForward : Lane::kBulk, *frame, other);
  }
  std::vector<ForwardBatchRef> delivered() const {
    std::vector<ForwardBatchRef> batches;
    for (const HubEffects::Mail& mail : context_.effects.mails) {
      if (const auto* const in = std::get_if<ForwardIn>(&mail.mail)) batches.push_back(in->batch);
    }
    return batches;
  }

 private:
  static HubConfig config() {
    HubConfig config;
    config.limits.large_payload = 64;
    config.limits.bulk_piece_bytes = 320;
    return config;
  }

  Context context_;
  Members members_;
  Leases leases_;
  Routes routes_;
  Forwarding forwarding_;
  Pair pair_;
};

constexpr uint64_t kMask = 0x8000000000000001;

MessageRef sample_message(Qos qos, const std::string& payload) {
  static const std::string properties("\x01\x01\x03\x00\x04text", 9);
  return Message::create({.qos = qos,
                          .retain = true,
                          .topic = "plant/7/state",
                          .properties = bytes_of(properties),
                          .payload = bytes_of(payload),
                          .expires_at = Instant{} + Duration::seconds(90),
                          .publisher = 0xa1a2a3a4a5a6a7a8});
}

std::vector<ForwardBatchRef> small_batches() {
  ForwardBatchWriter writer(3);
  const SharedPick picks[] = {{9, "$share/g/plant/#"}, {2, "$share/h/plant/+/state"}};
  for (const Qos qos : {Qos::k0, Qos::k1, Qos::k2}) {
    writer.append(sample_message(qos, "on")->view(), kMask,
                  qos == Qos::k1 ? picks : std::span<const SharedPick>(), Instant{});
  }
  writer.append({.topic = "t"}, 1, {}, Instant{});
  std::vector<ForwardBatchRef> batches;
  writer.finish(batches);
  return batches;
}

std::vector<ForwardBatchRef> large_batches() {
  ForwardBatchWriter writer(3);
  writer.append({.topic = "t"}, 1, {}, Instant{});
  writer.append_large(sample_message(Qos::k1, std::string(700, 'x')), kMask, {}, Instant{});
  std::vector<ForwardBatchRef> batches;
  writer.finish(batches);
  return batches;
}

std::shared_ptr<ForwardBatch> one_message() {
  std::string bytes;
  serialize(*batch_of_one(3, sample_message(Qos::k2, "on"), kMask, {}, Limits(), Instant{}), bytes);
  return parse_forward_batch(bytes_of(bytes))->batch;
}

std::string says_of(const ForwardBatch& batch) {
  std::string says =
      absl::StrFormat("batch origin %d mask %x numbers %d to %d messages %d\n", batch.origin_worker,
                      batch.worker_mask, batch.first_number, batch.last_number, batch.messages);
  ForwardBatchReader reader(batch, Instant{});
  for (ForwardRecord record; reader.next(record);) {
    const MessageView& message = record.message;
    const bool expires = message.expires_at != Instant::never();
    says += absl::StrFormat(
        "  number %d mask %x qos %d retain %d topic %s properties %s payload %s expires %d "
        "publisher %x\n",
        record.number, record.worker_mask, static_cast<int>(message.qos), message.retain,
        message.topic, hex_of(text_of(message.properties)), shown(text_of(message.payload)),
        expires ? (message.expires_at - Instant{}).to_millis() : -1, message.publisher);
    for (SharedPick pick; record.picks.next(pick);) {
      says += absl::StrFormat("    pick %d %s\n", pick.worker, pick.filter);
    }
  }
  return says + (reader.ok() ? "" : "wrong\n");
}

std::optional<Reading> read_parcels(const Frames& frames) {
  ParcelEnd receiver(kReceiver, kSender);
  ParcelEnd sender(kSender, kReceiver);
  Reading reading;
  bool is_ended = false;
  for (size_t i = 0; i < frames.size(); ++i) {
    OtherParcel other;
    if (!receiver.take(frames[i], i == 0, other)) return std::nullopt;
    if (auto* const retained = std::get_if<RetainedParcel>(&other)) {
      reading.says +=
          absl::StrFormat("retained counter %d node %x token %d end %d\n", retained->stamp.counter,
                          retained->stamp.node.value, retained->token, retained->is_end);
      if (retained->batch) reading.says += says_of(*retained->batch);
      if (!std::exchange(is_ended, retained->is_end)) sender.send(*retained);
    } else if (auto* const outbox = std::get_if<OutboxParcel>(&other)) {
      reading.says +=
          absl::StrFormat("outbox shard %d part %d number %d term %d least %d\n", outbox->shard,
                          outbox->part, outbox->number, outbox->term, outbox->least) +
          says_of(*outbox->batch);
      sender.send(*outbox);
    }
  }
  for (const ForwardBatchRef& batch : receiver.delivered()) reading.says += says_of(*batch);
  sender.send(receiver.delivered());
  reading.again = sender.sent();
  return reading;
}

template <typename What>
Kind parcel(const std::string& name, What (*make)()) {
  return {.name = "parcel-" + name,
          .make = [make]() -> Frames {
            ParcelEnd sender(kSender, kReceiver);
            sender.send(make());
            return sender.sent();
          },
          .read = read_parcels};
}

}  // namespace

void add_parcels(std::vector<Kind>& kinds) {
  kinds.push_back(parcel<std::vector<ForwardBatchRef>>("batch", small_batches));
  kinds.push_back(parcel<std::vector<ForwardBatchRef>>("batch-large", large_batches));
  kinds.push_back(parcel<RetainedParcel>("retained", [] {
    return RetainedParcel{
        .stamp = {0x0102030405060708, NodeId{0x77}}, .token = 12, .batch = one_message()};
  }));
  kinds.push_back(
      parcel<RetainedParcel>("retained-end", [] { return RetainedParcel{.is_end = true}; }));
  kinds.push_back(parcel<OutboxParcel>("outbox", [] {
    return OutboxParcel{
        .shard = 5, .part = 2, .number = 1234, .term = 17, .least = 1200, .batch = one_message()};
  }));
}

}  // namespace shoal::recorded
