// A message with a large payload on its way from a shard's leader to this node, piece by piece, into the
// memory that it will be in.
#pragma once

#include <cstdint>
#include <memory>

#include "proto/shoal/store.pb.h"
#include "shoal/message.h"
#include "shoal/types.h"

namespace shoal::replica {

class Arriving {
 public:
  static constexpr uint64_t kBytesMax = uint64_t{1} << 30;

  // `head` has payload_bytes, at most kBytesMax.
  Arriving(const proto::StoreMessage& head, Now now);

  // False: it does not go on what is here.
  bool add(const proto::StorePiece& piece);
  uint64_t bytes() const { return bytes_; }
  bool is_whole() const { return bytes_ == head_.payload_bytes(); }
  const proto::StoreMessage& head() const { return head_; }
  MessageRef message() const;

 private:
  proto::StoreMessage head_;
  Now begun_;  // its expiry was told then
  std::shared_ptr<uint8_t[]> payload_;
  uint64_t bytes_ = 0;
};

}  // namespace shoal::replica
