// The keys of a shard's state:
//   format version (1 byte), slot (2), namespace (length, bytes), kind (1), then what the kind has.
// Names have their length before them, numbers are big-endian: so the keys of one session, one queue
// or one kind stand together, numbers in order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cluster/shard/slots.h"
#include "shoal/types.h"

namespace shoal::shard {

enum class KeyKind : char {
  kAttached = 'A',
  kBody = 'B',
  kReferences = 'C',
  kSubscription = 'F',
  kGroup = 'G',
  kOutboxMark = 'H',
  kReceived = 'I',
  kSourceMark = 'M',
  kOutbox = 'O',
  kReplay = 'P',
  kQueue = 'Q',
  kSession = 'S',
  kTimer = 'T',
  kUpload = 'U',
  kSeenLive = 'V',
  kPiece = 'b',
  kGroupMember = 'g',
  kMeta = 'm',
  kPickedItem = 'p',
  kPickMark = 'q',
};

class Key {
 public:
  Key(Slot slot, KeyKind kind);

  // Each appends.
  Key& name(std::string_view name);
  Key& text(std::string_view text);  // as it is: only at the end
  Key& number(uint64_t number);
  Key& byte(uint8_t byte);

  operator const std::string&() const { return bytes_; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// The end of all keys that begin with `prefix`.
std::string end_of_prefix(std::string_view prefix);

// Reads what Key appended. After the first failure all it gives is empty.
class KeyParts {
 public:
  explicit KeyParts(std::string_view key);

  KeyKind kind() const { return kind_; }
  std::string_view name();
  std::string_view rest() { return rest_; }
  uint64_t number();
  uint8_t byte();

 private:
  std::string_view take(size_t size);
  std::string_view rest_;
  KeyKind kind_{};
};

}  // namespace shoal::shard
