#include "cluster/replica/arriving.h"

#include <algorithm>

#include "cluster/replica/message_spec.h"
#include "shoal/byte_view.h"

namespace shoal::replica {

// Not zeroed: all of it is written before anyone sees it, and to touch it at once would take a while.
Arriving::Arriving(const proto::StoreMessage& head, Now now)
    : head_(head), begun_(now), payload_(new uint8_t[head.payload_bytes()]) {}

bool Arriving::add(const proto::StorePiece& piece) {
  const ByteView bytes = bytes_of(piece.payload());
  const bool fits = piece.number() == head_.number() && piece.offset() == bytes_ &&
                    bytes.size() <= head_.payload_bytes() - bytes_;
  if (!fits) return false;
  std::copy(bytes.begin(), bytes.end(), payload_.get() + bytes_);
  bytes_ += bytes.size();
  return true;
}

MessageRef Arriving::message() const {
  return message_of(head_, begun_, {payload_, head_.payload_bytes()});
}

}  // namespace shoal::replica
