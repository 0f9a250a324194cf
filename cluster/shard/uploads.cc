// Payloads that come in pieces, each an op of its own, before the op that takes them. So nothing that is
// done with a large message, here or on the way here, takes longer than it takes with 64 KiB.
//
// Until then they are a source's upload; then they belong to the message's body, where they stand. Since
// the pieces of a source are committed before it submits their op, that finds them whole, whoever leads.
#include "cluster/shard/shard_core.h"

namespace shoal::shard {
namespace {

constexpr uint64_t kTotalMax = uint64_t{1} << 30;

// In order, none left out, and of one length.
bool goes_on(const UploadRecord& record, const PieceOp& op) {
  const uint64_t left = record.total - record.pieces.bytes;
  return op.total == record.total && op.offset == record.pieces.bytes &&
         op.bytes.size() == std::min(record.pieces.each, left);
}

}  // namespace

const MessageSpec* ShardState::Core::numbered_message(const Op& op) {
  if (const auto* const publish = std::get_if<PublishOp>(&op)) return &publish->message;
  const auto* const receive = std::get_if<ReceiveOp>(&op);
  return receive ? &receive->message : nullptr;
}

Key ShardState::Core::upload_key(const Upload& upload) const {
  return Key(kShardSlot, KeyKind::kUpload)
      .number(upload.node.value)
      .number(upload.incarnation)
      .number(upload.from)
      .number(upload.number);
}

Effects::Outcome ShardState::Core::on(const PieceOp& op) {
  const bool is_empty = op.bytes.empty() || op.bytes.size() > op.total;
  if (is_empty || op.total > kTotalMax) return skip(SkipReason::kMalformed);
  if (is_answered(op.upload)) {
    effects->outbox_answers.push_back({op.upload.from, op.upload.number, true});
    return skip(SkipReason::kRepeat);
  }
  UploadRecord record{.total = op.total, .pieces = {.each = op.bytes.size()}};
  const bool is_known = tables.get(upload_key(op.upload), record);
  const bool is_repeat = is_known && op.offset < record.pieces.bytes;
  const bool is_next = goes_on(record, op);
  if (!is_repeat && is_next) add_piece(op, record);
  tell_uploaded(op.upload, record.pieces.bytes, !is_repeat && !is_next);
  if (is_repeat) return skip(SkipReason::kRepeat);
  return is_next ? Effects::Outcome::kApplied : skip(SkipReason::kGap);
}

// Of another shard's outbox: its item was here.
bool ShardState::Core::is_answered(const Upload& upload) const {
  if (upload.node) return false;
  OutboxMark mark;
  tables.get(shard_key(KeyKind::kOutboxMark).number(upload.from), mark);
  return upload.number <= mark.number;
}

void ShardState::Core::add_piece(const PieceOp& op, UploadRecord& record) {
  if (record.body == 0) {
    record.body = ++meta.last_body;
    ++meta.uploads;
  }
  record.pieces.hash += tables.add_bytes(
      shard_key(KeyKind::kPiece).number(record.body).number(record.pieces.bytes), op.bytes);
  record.pieces.bytes += op.bytes.size();
  meta.bodies_bytes += op.bytes.size();
  tables.put(upload_key(op.upload), record);
}

void ShardState::Core::tell_uploaded(const Upload& upload, uint64_t bytes, bool is_gap) {
  if (upload.node) {
    effects->uploaded.push_back({upload, bytes, is_gap});
  } else {
    effects->outbox_answers.push_back({upload.from, upload.number, !is_gap, bytes});
  }
}

// An upload is a source's: without one there is none.
bool ShardState::Core::is_usable(const MessageSpec& message) const {
  return !message.topic.empty() && (!message.upload || source_number != 0);
}

bool ShardState::Core::lacks_pieces(const MessageSpec* message) const {
  if (!message || !message->upload) return false;
  UploadRecord record;
  return !tables.get(upload_key(*message->upload), record) || !record.is_whole();
}

// What an op that changes nothing leaves.
void ShardState::Core::drop_unused(const Op& op) {
  const MessageSpec* const message = numbered_message(op);
  if (message && message->upload) drop_upload(upload_key(*message->upload));
}

void ShardState::Core::drop_upload(const std::string& key) {
  UploadRecord record;
  if (!tables.take(key, record)) return;
  --meta.uploads;
  drop_pieces(record.body, record.pieces);
}

void ShardState::Core::drop_pieces(BodyId id, const Pieces& pieces) {
  for (uint64_t at = 0; at < pieces.bytes; at += pieces.each) {
    tables.remove_counted(shard_key(KeyKind::kPiece).number(id).number(at));
  }
  tables.uncount(pieces.hash);
  meta.bodies_bytes -= pieces.bytes;
}

void ShardState::Core::drop_uploads(const std::string& begin, const std::string& end) {
  for (const std::string& key : tables.keys_in_range(begin, end)) drop_upload(key);
}

Effects::Outcome ShardState::Core::on(const DropUploadsOp& op) {
  if (!op.node) return skip(SkipReason::kMalformed);
  const Key of_node = shard_key(KeyKind::kUpload).number(op.node.value);
  drop_uploads(of_node, Key(of_node).number(op.before));
  return Effects::Outcome::kApplied;
}

// Another leader of that shard may have found others to send an item to, and goes on with the next.
void ShardState::Core::drop_uploads_of_shard(uint32_t shard, uint64_t up_to) {
  if (meta.uploads == 0) return;
  const Upload first{.from = shard};
  const Upload behind{.from = shard, .number = up_to + 1};
  drop_uploads(upload_key(first), upload_key(behind));
}

std::string ShardState::piece(BodyId id, uint64_t offset) const {
  std::string bytes;
  (void)core_->tables.get_bytes(core_->shard_key(KeyKind::kPiece).number(id).number(offset), bytes);
  return bytes;
}

bool ShardState::has_uploads(NodeId node, uint64_t before) const {
  bool found = false;
  const Key of_node = core_->shard_key(KeyKind::kUpload).number(node.value);
  core_->tables.values().scan(of_node.bytes(), Key(of_node).number(before).bytes(),
                              [&](std::string_view, std::string_view) {
                                found = true;
                                return false;
                              });
  return found;
}

}  // namespace shoal::shard
