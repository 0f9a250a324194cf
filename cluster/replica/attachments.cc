#include "cluster/replica/attachments.h"

#include <algorithm>
#include <utility>

#include "cluster/replica/uploads.h"

namespace shoal::replica {
namespace {

constexpr size_t kOverhead = 64;  // of a message that is held anywhere

proto::StoreMessages& messages_for(const std::string& client_id, const Attachment& to,
                                   proto::StoreReply& reply) {
  proto::StoreMessages* const messages = reply.add_messages();
  messages->set_worker(to.worker);
  messages->set_client_id(client_id);
  messages->set_epoch(to.epoch);
  return *messages;
}

void fill(proto::StoreMessage& out, shard::Delivery&& from, int64_t wall_ms) {
  out.set_number(from.number);
  out.set_qos(static_cast<uint32_t>(from.qos));
  out.set_dup(from.dup);
  out.set_released(from.released);
  if (from.released) return;
  out.set_retain(from.retain);
  for (const uint32_t identifier : from.identifiers) out.add_identifiers(identifier);
  shard::Body& body = from.message;
  out.set_published_qos(static_cast<uint32_t>(body.qos));
  out.set_published_retain(body.retain);
  out.set_publisher(body.publisher);
  if (body.expires_at != 0) {
    out.set_expires(true);
    const auto now = static_cast<uint64_t>(wall_ms);
    out.set_expires_in_ms(body.expires_at > now ? body.expires_at - now : 0);
  }
  out.set_topic(std::move(body.topic));
  out.set_properties(std::move(body.properties));
  out.set_payload(std::move(body.payload));
  if (body.pieces) out.set_payload_bytes(body.pieces->bytes);
}

}  // namespace

void Attachments::clear() {
  attached_.clear();
  noted_.clear();
}

void Attachments::attach(const std::string& client_id, Attachment attachment) {
  attached_[client_id] = std::move(attachment);
  note(client_id);
}

void Attachments::detach(const std::string& client_id, shard::OpPlace epoch) {
  const auto it = attached_.find(client_id);
  if (it != attached_.end() && it->second.epoch == epoch) attached_.erase(it);
}

void Attachments::end(const std::string& client_id) { attached_.erase(client_id); }

const Attachment* Attachments::find(const std::string& client_id) const {
  const auto it = attached_.find(client_id);
  return it == attached_.end() ? nullptr : &it->second;
}

void Attachments::note(const std::string& client_id) {
  if (attached_.contains(client_id)) noted_.insert(client_id);
}

void Attachments::on_room(const proto::StoreRoom& room) {
  const auto it = attached_.find(room.client_id());
  if (it == attached_.end() || it->second.epoch != room.epoch()) return;
  Attachment& at = it->second;
  while (!at.unread.empty() && at.unread.front().number <= room.message()) {
    at.unread_bytes -= at.unread.front().bytes;
    at.unread.pop_front();
  }
  note(it->first);
}

void Attachments::on_read(const proto::StorePiecesRead& read) {
  const auto it = attached_.find(read.client_id());
  if (it == attached_.end() || it->second.epoch != read.epoch()) return;
  std::optional<Attachment::Giving>& giving = it->second.giving;
  if (!giving || giving->number != read.message()) return;
  giving->read = std::max(giving->read, std::min(read.bytes(), giving->given));
  note(it->first);
}

void Attachments::pump(const shard::ShardState& state, int64_t wall_ms, const ReplyTo& reply_to) {
  for (const std::string& client_id : std::exchange(noted_, {})) {
    const auto it = attached_.find(client_id);
    if (it == attached_.end()) continue;
    proto::StoreReply* const reply = reply_to(it->second.node, it->second.incarnation);
    if (reply == nullptr) continue;
    do {
      give_pieces(client_id, it->second, state, *reply);
    } while (!it->second.giving && it->second.unread_bytes < unread_bytes_max_ &&
             give(client_id, it->second, state, wall_ms, *reply));
  }
}

// Nothing of the session goes before what is left of them. A body is gone only with its session.
void Attachments::give_pieces(const std::string& client_id, Attachment& to,
                              const shard::ShardState& state, proto::StoreReply& reply) {
  if (!to.giving) return;
  Attachment::Giving& giving = *to.giving;
  const uint64_t most = giving.read + kPiecesOnTheWay * giving.pieces.each;
  if (giving.given >= most) return;
  proto::StoreMessages& messages = messages_for(client_id, to, reply);
  while (giving.given < std::min(most, giving.pieces.bytes)) {
    std::string bytes = state.piece(giving.body, giving.given);
    if (bytes.empty()) return to.giving.reset();
    proto::StorePiece* const piece = messages.add_pieces();
    piece->set_number(giving.number);
    piece->set_offset(giving.given);
    giving.given += bytes.size();
    piece->set_payload(std::move(bytes));
  }
  if (giving.given == giving.pieces.bytes) to.giving.reset();
}

bool Attachments::give(const std::string& client_id, Attachment& to, const shard::ShardState& state,
                       int64_t wall_ms, proto::StoreReply& reply) {
  shard::ShardState::PortionLimits limits;
  limits.bytes = std::min(limits.bytes, unread_bytes_max_ - to.unread_bytes);
  std::vector<shard::Delivery> deliveries = state.deliveries(client_id, to.next, limits);
  if (deliveries.empty()) return false;
  proto::StoreMessages& messages = messages_for(client_id, to, reply);
  for (shard::Delivery& each : deliveries) {
    const size_t bytes = each.message.size() + kOverhead;
    to.next = each.number + 1;
    to.unread.push_back({each.number, bytes});
    to.unread_bytes += bytes;
    if (each.message.pieces) {
      to.giving = {.number = each.number, .body = each.body, .pieces = *each.message.pieces};
    }
    fill(*messages.add_messages(), std::move(each), wall_ms);
    if (to.giving) break;
  }
  return true;
}

}  // namespace shoal::replica
