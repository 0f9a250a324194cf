#include "cluster/core/forwarding.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "node/rules/forward_batch.h"
#include "shoal/assert.h"
#include "shoal/byte_view.h"
#include "shoal/mutation.h"

namespace shoal {
namespace {

constexpr size_t kUnackedMax = 2 * 1024 * 1024;  // of one parcel, in the lane
constexpr size_t kHeadSizeBytes = 8;
constexpr size_t kStampBytes = 25;          // counter, node, token, 1: the end of a copy
constexpr size_t kOutboxBytes = 32;         // shard and part, number, least, term
constexpr size_t kHeadSlack = 1024 * 1024;  // what a batch has besides its messages
constexpr uint64_t kItemBytes = 64 * 1024;  // loads are counted in lumps of about this
constexpr int kRangesMax = 4096;            // in one Accept

int lane_index(Lane lane) { return lane == Lane::kForward ? 0 : 1; }
Lane lane_at(int index) { return index == 0 ? Lane::kForward : Lane::kBulk; }

}  // namespace

void Forwarding::on_open(const Pair& pair) {
  flows_[pair.id()].loads.resize(context_.config.workers);
}

void Forwarding::on_end(const Pair& pair) {
  const auto it = flows_.find(pair.id());
  if (it == flows_.end()) return;
  const auto drop = [this](const Parcel& parcel) {
    if (parcel.kind == FrameKind::kBatch) dropped_ += parcel.batch->messages;
  };
  for (int lane = 0; lane < kLanes; ++lane) {
    if (it->second.cut[lane]) drop(it->second.cut[lane]->parcel);
    for (const Parcel& parcel : it->second.waiting[lane]) drop(parcel);
  }
  flows_.erase(it);
}

// ---- workers ------------------------------------------------------------------------------------

void Forwarding::on_forward(Pair* pair, WorkerIndex from, ForwardBatchRef batch) {
  // What a worker sent before it heard of this session was for the one before.
  if (pair == nullptr || !pair->is_open() || !routes_.has_worker_seen(*pair, from)) {
    dropped_ += batch->messages;
    return;
  }
  totals_[pair->id()].forwarded += batch->messages;
  const Lane lane = batch->large.empty() ? Lane::kForward : Lane::kBulk;
  const size_t bytes = batch->bytes();
  enqueue(*pair, flows_.at(pair->id()), lane,
          {.kind = FrameKind::kBatch, .batch = std::move(batch), .bytes = bytes});
}

void Forwarding::on_accept(Pair* pair, WorkerIndex from, AcceptOut&& accept) {
  // Numbers of an ended session may stand for other messages in this one.
  if (pair == nullptr || !pair->is_open() || !routes_.has_worker_seen(*pair, from)) return;
  for (size_t at = 0; at < accept.ranges.size();) {
    proto::Accept message;
    message.set_origin_worker(accept.origin.worker);
    message.set_worker(from);
    for (; at < accept.ranges.size() && message.first_size() < kRangesMax; ++at) {
      message.add_first(accept.ranges[at].first);
      message.add_last(accept.ranges[at].last);
      message.add_acceptance(static_cast<uint32_t>(accept.ranges[at].acceptance));
    }
    pair->send(FrameKind::kAccept, message);
  }
}

void Forwarding::on_consumed(Pair* pair, WorkerIndex from, uint64_t bytes) {
  if (pair == nullptr || !pair->is_open() || !routes_.has_worker_seen(*pair, from)) return;
  Load& load = flows_.at(pair->id()).loads[from];
  while (bytes > 0 && !load.items.empty()) {
    Load::Item& first = load.items.front();
    if (first.bytes > bytes) {
      first.bytes -= bytes;
      return;
    }
    bytes -= first.bytes;
    load.wire[first.lane] -= first.wire;
    load.items.pop_front();
  }
}

void Forwarding::send_retained(Pair& pair, const Stamp& stamp, ForwardBatchRef batch,
                               uint64_t token) {
  Parcel parcel{.kind = FrameKind::kRetained, .batch = std::move(batch)};
  parcel.head.resize(kStampBytes);
  auto* const at = reinterpret_cast<uint8_t*>(parcel.head.data());
  put_u64(at, stamp.counter);
  put_u64(at + 8, stamp.node.value);
  put_u64(at + 16, token);
  parcel.bytes = parcel.head.size() + parcel.batch->bytes();
  const Lane lane = parcel.batch->large.empty() ? Lane::kForward : Lane::kBulk;
  enqueue(pair, flows_.at(pair.id()), lane, std::move(parcel));
}

void Forwarding::send_retained_end(Pair& pair) {
  for (const Lane lane : {Lane::kForward, Lane::kBulk}) {
    Parcel parcel{.kind = FrameKind::kRetained, .head = std::string(kStampBytes, '\0')};
    parcel.head.back() = 1;
    parcel.bytes = kStampBytes;
    enqueue(pair, flows_.at(pair.id()), lane, std::move(parcel));
  }
}

void Forwarding::send_outbox(Pair& pair, OutboxParcel&& what) {
  Parcel parcel{.kind = FrameKind::kOutbox, .batch = std::move(what.batch)};
  parcel.head.resize(kOutboxBytes);
  auto* const at = reinterpret_cast<uint8_t*>(parcel.head.data());
  put_u64(at, uint64_t{what.part} << 32 | what.shard);
  put_u64(at + 8, what.number);
  put_u64(at + 16, what.least);
  put_u64(at + 24, what.term);
  parcel.bytes = parcel.head.size() + parcel.batch->bytes();
  enqueue(pair, flows_.at(pair.id()), Lane::kForward, std::move(parcel));
}

// ---- out ----------------------------------------------------------------------------------------

void Forwarding::enqueue(Pair& pair, Flow& flow, Lane lane, Parcel parcel) {
  if (lane == Lane::kForward) {
    ++flow.forward_sent;
  } else if (parcel.kind == FrameKind::kBatch) {  // retained messages have stamps instead
    parcel.after = SHOAL_MUTATED("large-overtakes") ? 0 : flow.forward_sent;
  }
  flow.waiting_bytes[lane_index(lane)] += parcel.bytes;
  flow.waiting[lane_index(lane)].push_back(std::move(parcel));
  pump(pair);
}

// Of the forward lane alone: large payloads wait for each other, and their publishers for them; the
// others go on meanwhile.
void Forwarding::check_congestion(const Pair& pair, Flow& flow) {
  const size_t limit = context_.config.limits.forward_queue_bytes;
  const size_t waiting = flow.waiting_bytes[lane_index(Lane::kForward)];
  const bool is_congested = waiting > (flow.is_congested ? limit / 2 : limit);
  if (is_congested == flow.is_congested) return;
  flow.is_congested = is_congested;
  context_.mail(context_.all_workers(), PeerCongested{pair.slot(), is_congested});
}

void Forwarding::pump(Pair& pair) {
  const auto it = flows_.find(pair.id());
  if (it == flows_.end()) return;
  Flow& flow = it->second;
  for (int lane = 0; lane < kLanes; ++lane) {
    while (true) {
      if (!flow.cut[lane]) {
        const bool is_open =
            flow.sent[lane] - flow.credit[lane] < context_.config.limits.forward_window_bytes;
        if (flow.waiting[lane].empty() || !is_open) break;
        begin_cut(flow, lane);
      }
      const size_t unacked_max =
          lane == 0 ? context_.config.limits.forward_window_bytes : kUnackedMax;
      if (pair.kept_bytes(lane_at(lane)) >= unacked_max) break;
      send_piece(pair, flow, lane_at(lane));
    }
  }
  check_congestion(pair, flow);
}

void Forwarding::begin_cut(Flow& flow, int lane) {
  flow.cut[lane] = Cut();
  Cut& cut = *flow.cut[lane];
  cut.parcel = std::move(flow.waiting[lane].front());
  flow.waiting[lane].pop_front();
  flow.waiting_bytes[lane] -= cut.parcel.bytes;

  std::string head(kHeadSizeBytes, '\0');
  head += cut.parcel.head;
  if (cut.parcel.batch) serialize(*cut.parcel.batch, head);
  put_u64(reinterpret_cast<uint8_t*>(head.data()), head.size() - kHeadSizeBytes);
  cut.parcel.head = std::move(head);

  cut.parts.push_back(bytes_of(cut.parcel.head));
  if (cut.parcel.batch) {
    for (const auto part : large_parts(*cut.parcel.batch)) {
      if (!part.empty()) cut.parts.push_back(part);
    }
  }
  for (const auto part : cut.parts) flow.sent[lane] += part.size();
}

void Forwarding::send_piece(Pair& pair, Flow& flow, Lane lane) {
  std::optional<Cut>& cut = flow.cut[lane_index(lane)];
  const auto part = cut->parts[cut->part].subspan(cut->offset);
  const size_t size = std::min({part.size(), context_.config.limits.bulk_piece_bytes,
                                kFrameBytesMax - kFrameHeaderBytesMax});
  cut->offset += size;
  if (size == part.size()) {
    ++cut->part;
    cut->offset = 0;
  }
  const bool is_last = cut->part == cut->parts.size();
  const FrameHeader what{.kind = cut->parcel.kind,
                         .flags = is_last ? uint8_t{0} : kFlagMore,
                         .after = std::exchange(cut->parcel.after, 0)};
  pair.send_piece(lane, what, part.first(size), 0);
  if (is_last) cut.reset();
}

// ---- in -----------------------------------------------------------------------------------------

bool Forwarding::on_piece(Pair& pair, Lane lane, const ParsedFrame& frame, OtherParcel& other) {
  if (lane == Lane::kControl || frame.body.empty()) return false;
  Flow& flow = flows_.at(pair.id());
  Joined& joined = flow.joined[lane_index(lane)];
  if (!joined.is_begun) {
    if (frame.body.size() < kHeadSizeBytes) return false;
    joined.is_begun = true;
    joined.kind = frame.header.kind;
    joined.after = lane == Lane::kBulk ? frame.header.after : 0;
    joined.head_bytes = get_u64(frame.body.data());
    if (joined.head_bytes > context_.config.limits.packet_size_max + kHeadSlack) return false;
    joined.wire_bytes = kHeadSizeBytes;
    if (!add(joined, frame.body.subspan(kHeadSizeBytes))) return false;
  } else if (frame.header.kind != joined.kind || !add(joined, frame.body)) {
    return false;
  }
  if (frame.header.flags & kFlagMore) return true;
  return finish(pair, flow, lane, other);
}

bool Forwarding::add(Joined& joined, std::span<const uint8_t> bytes) {
  joined.wire_bytes += bytes.size();
  const size_t missing = joined.head_bytes - joined.head.size();
  const auto head = bytes.first(std::min(missing, bytes.size()));
  const bool was_complete = missing == 0 && (joined.batch || joined.retained.is_end);
  joined.head.insert(joined.head.end(), head.begin(), head.end());
  if (joined.head.size() < joined.head_bytes) return true;
  if (!was_complete && !parse_head(joined)) return false;

  const auto large = bytes.subspan(head.size());
  if (large.size() > joined.large_bytes - joined.large_have) return false;
  if (!large.empty()) std::memcpy(&joined.large[joined.large_have], large.data(), large.size());
  joined.large_have += large.size();
  return true;
}

bool Forwarding::parse_head(Joined& joined) {
  std::span<const uint8_t> head(joined.head);
  if (joined.kind == FrameKind::kRetained && !parse_retained(joined, head)) return false;
  if (joined.retained.is_end) return true;
  if (joined.kind == FrameKind::kOutbox && !parse_outbox(joined, head)) return false;
  std::optional<ParsedForwardBatch> parsed = parse_forward_batch(head);
  if (!parsed) return false;
  joined.batch = std::move(parsed->batch);
  return begin_large(joined, parsed->large_bytes);
}

bool Forwarding::parse_retained(Joined& joined, std::span<const uint8_t>& head) {
  if (head.size() < kStampBytes) return false;
  joined.retained.stamp = {get_u64(&head[0]), NodeId{get_u64(&head[8])}};
  joined.retained.token = get_u64(&head[16]);
  joined.retained.is_end = head[24] != 0;
  if (!joined.retained.is_end && !joined.retained.stamp.node) return false;
  head = head.subspan(kStampBytes);
  return true;
}

bool Forwarding::parse_outbox(Joined& joined, std::span<const uint8_t>& head) {
  if (head.size() < kOutboxBytes) return false;
  const uint64_t which = get_u64(&head[0]);
  joined.outbox.shard = static_cast<uint32_t>(which);
  joined.outbox.part = static_cast<uint32_t>(which >> 32);
  joined.outbox.number = get_u64(&head[8]);
  joined.outbox.least = get_u64(&head[16]);
  joined.outbox.term = get_u64(&head[24]);
  if (joined.outbox.shard >= kShardsMax || joined.outbox.number == 0) return false;
  head = head.subspan(kOutboxBytes);
  return true;
}

bool Forwarding::begin_large(Joined& joined, uint64_t bytes) {
  if (bytes > context_.config.limits.packet_size_max) return false;
  joined.large_bytes = bytes;
  // Not cleared: the pages of what never comes are never touched.
  if (bytes != 0) joined.large = std::make_shared_for_overwrite<uint8_t[]>(bytes);
  return true;
}

bool Forwarding::finish(Pair& pair, Flow& flow, Lane lane, OtherParcel& other) {
  const int index = lane_index(lane);
  Joined joined = std::exchange(flow.joined[index], Joined());
  if (joined.head.size() < joined.head_bytes || joined.large_have < joined.large_bytes)
    return false;
  if (!joined.batch && !joined.retained.is_end) return false;
  if (joined.large_bytes != 0 && !attach_large(*joined.batch, std::move(joined.large),
                                               joined.large_bytes, context_.now.mono)) {
    return false;
  }
  flow.received[index] += joined.wire_bytes;
  if (lane == Lane::kForward) ++flow.forward_came;
  if (joined.kind == FrameKind::kRetained) {
    joined.retained.batch = std::move(joined.batch);
    other = std::move(joined.retained);
  } else if (joined.kind == FrameKind::kOutbox) {
    joined.outbox.batch = std::move(joined.batch);
    if (joined.outbox.batch->messages != 1) return false;
    other = std::move(joined.outbox);
  } else {
    flow.held_wire[index] += joined.wire_bytes;
    (lane == Lane::kForward ? flow.held : flow.early)
        .push_back({index, joined.wire_bytes, std::move(joined.batch), joined.after});
  }
  while (!flow.early.empty() && flow.early.front().after <= flow.forward_came) {
    flow.held.push_back(std::move(flow.early.front()));
    flow.early.pop_front();
  }
  release(pair);
  return true;
}

void Forwarding::release(Pair& pair) {
  const auto it = flows_.find(pair.id());
  if (it == flows_.end() || leases_.kept_by(pair.id()) < context_.now.mono) return;
  Flow& flow = it->second;
  while (!flow.held.empty()) {
    Held held = std::move(flow.held.front());
    flow.held.pop_front();
    flow.held_wire[held.lane] -= held.wire;
    deliver(pair, flow, std::move(held));
  }
}

void Forwarding::deliver(const Pair& pair, Flow& flow, Held held) {
  const uint64_t workers = held.batch->worker_mask & context_.all_workers();
  const uint64_t bytes = held.batch->bytes();
  totals_[pair.id()].received += held.batch->messages;
  for (int w = 0; w < context_.config.workers; ++w) {
    if ((workers & bit_of(static_cast<WorkerIndex>(w))) == 0) continue;
    Load& load = flow.loads[w];
    load.wire[held.lane] += held.wire;
    const bool is_joined = !load.items.empty() && load.items.back().lane == held.lane &&
                           load.items.back().bytes < kItemBytes;
    if (!is_joined) load.items.push_back({0, 0, held.lane});
    load.items.back().bytes += bytes;
    load.items.back().wire += held.wire;
  }
  context_.mail(workers, ForwardIn{pair.slot(), std::move(held.batch)});
}

bool Forwarding::on_peer_accepts(Pair& pair, const proto::Accept& accept) {
  const int count = accept.first_size();
  if (accept.last_size() != count || accept.acceptance_size() != count) return false;
  if (accept.worker() >= kWorkersMax) return false;
  if (accept.origin_worker() >= static_cast<uint32_t>(context_.config.workers)) return false;
  AcceptIn mail{{pair.slot(), static_cast<WorkerIndex>(accept.worker())}, {}};
  for (int i = 0; i < count; ++i) {
    if (accept.first(i) == 0 || accept.first(i) > accept.last(i)) return false;
    if (accept.acceptance(i) > static_cast<uint32_t>(Acceptance::kNotPlaced)) return false;
    mail.ranges.push_back(
        {accept.first(i), accept.last(i), static_cast<Acceptance>(accept.acceptance(i))});
  }
  context_.mail(bit_of(static_cast<WorkerIndex>(accept.origin_worker())), std::move(mail));
  return true;
}

// ---- windows ------------------------------------------------------------------------------------

void Forwarding::on_credit(Pair& pair, const google::protobuf::RepeatedField<uint64_t>& credit) {
  const auto it = flows_.find(pair.id());
  if (it == flows_.end() || credit.size() != kLanes) return;
  for (int lane = 0; lane < kLanes; ++lane) {
    const uint64_t worked_off = std::min(credit.Get(lane), it->second.sent[lane]);
    it->second.credit[lane] = std::max(it->second.credit[lane], worked_off);
  }
  pump(pair);
}

uint64_t Forwarding::credit_of(const Flow& flow, int lane) const {
  uint64_t slowest = 0;
  for (const Load& load : flow.loads) slowest = std::max(slowest, load.wire[lane]);
  return flow.received[lane] - slowest - flow.held_wire[lane];
}

void Forwarding::fill_credit(const Pair& pair, google::protobuf::RepeatedField<uint64_t>* credit) {
  const auto it = flows_.find(pair.id());
  if (it == flows_.end()) return;
  for (int lane = 0; lane < kLanes; ++lane) {
    it->second.told_credit[lane] = credit_of(it->second, lane);
    credit->Add(it->second.told_credit[lane]);
  }
}

bool Forwarding::is_credit_due(const Pair& pair, uint64_t step) const {
  const auto it = flows_.find(pair.id());
  if (it == flows_.end()) return false;
  for (int lane = 0; lane < kLanes; ++lane) {
    if (credit_of(it->second, lane) >= it->second.told_credit[lane] + step) return true;
  }
  return false;
}

size_t Forwarding::waiting_bytes(const Pair& pair) const {
  const auto it = flows_.find(pair.id());
  if (it == flows_.end()) return 0;
  return it->second.waiting_bytes[0] + it->second.waiting_bytes[1];
}

uint64_t Forwarding::forwarded(const Pair& pair) const {
  const auto it = totals_.find(pair.id());
  return it == totals_.end() ? 0 : it->second.forwarded;
}

uint64_t Forwarding::received(const Pair& pair) const {
  const auto it = totals_.find(pair.id());
  return it == totals_.end() ? 0 : it->second.received;
}

}  // namespace shoal
