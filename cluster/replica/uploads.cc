#include "cluster/replica/uploads.h"

#include <algorithm>
#include <utility>

#include "cluster/shard/entry.h"
#include "shoal/byte_view.h"
#include "shoal/mutation.h"

namespace shoal::replica {

bool Uploads::takes(const Message& message, size_t piece_bytes) const {
  if (message.payload().size() > piece_bytes) return true;
  return !SHOAL_MUTATED("store-upload-overtaken") &&
         std::any_of(waiting_.begin(), waiting_.end(), [&message](const Waiting& each) {
           return each.ask.message()->publisher() == message.publisher();
         });
}

void Uploads::add(Ask ask, size_t piece_bytes) {
  const bool is_large = ask.message()->payload().size() > piece_bytes;
  waiting_.push_back({.ask = std::move(ask), .upload = is_large ? ++last_ : 0});
}

void Uploads::on_leader() {
  for (Waiting& each : waiting_) {
    if (!SHOAL_MUTATED("store-pieces-not-sent-again")) each.sent = each.there;
    each.is_gap = false;
  }
}

void Uploads::on_uploaded(uint64_t upload, uint64_t bytes, bool is_gap) {
  const auto it = std::find_if(waiting_.begin(), waiting_.end(), [upload](const Waiting& each) {
    return upload != 0 && each.upload == upload;
  });
  if (it == waiting_.end() || bytes > it->bytes()) return;
  it->there = std::max<size_t>(it->there, bytes);
  it->sent = std::max(it->sent, it->there);
  it->is_gap = is_gap;
}

void Uploads::on_tick() {
  for (Waiting& each : waiting_) {
    if (std::exchange(each.is_gap, false)) each.sent = each.there;
  }
}

std::optional<Uploads::Ready> Uploads::take_ready() {
  const bool is_early = SHOAL_MUTATED("store-op-before-pieces");
  if (waiting_.empty()) return std::nullopt;
  if (waiting_.front().there < waiting_.front().bytes() && !is_early) return std::nullopt;
  Ready ready{std::move(waiting_.front().ask), waiting_.front().upload};
  waiting_.pop_front();
  return ready;
}

std::optional<std::string> Uploads::next_piece(const shard::Upload& of, size_t piece_bytes) {
  size_t on_the_way = 0;
  for (Waiting& each : waiting_) {
    on_the_way += each.sent - each.there;
    if (on_the_way >= kPiecesOnTheWay * piece_bytes) break;
    if (each.sent == each.bytes()) continue;
    const std::string_view payload = text_of(each.ask.message()->payload());
    shard::PieceOp op{.upload = of, .offset = each.sent, .total = payload.size()};
    op.upload.number = each.upload;
    op.bytes = payload.substr(each.sent, piece_bytes);
    each.sent += op.bytes.size();
    std::string bytes;
    shard::append_op(op, std::nullopt, bytes);
    return bytes;
  }
  return std::nullopt;
}

}  // namespace shoal::replica
