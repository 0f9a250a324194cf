// Steps through a packet's property block and enforces what holds for all of them (2.2.2): known,
// allowed here, right type, at most once, in range.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "node/codec/byte_reader.h"
#include "node/codec/packet.h"
#include "node/codec/properties.h"

namespace shoal {

struct Property {
  PropertyId id{};
  uint32_t number = 0;    // byte, integers
  std::string_view text;  // strings; a pair's name
  ByteView bytes;         // binary data; a pair's value
  ByteView raw;           // all of it, identifier included
};

class PropertyReader {
 public:
  // Takes the block, its length first, from `in`. Failures go to `in` and end the block.
  PropertyReader(ByteReader& in, PacketType where);

  // False at the end of the block and after a failure.
  bool next(Property& out);

  // Once next() returned false.
  UserProperties user_properties() const;

 private:
  void check_allowed(PropertyId id, PropertyType type);
  void read_value(PropertyType type, Property& out);
  void check_once(PropertyId id);
  void check_value(const Property& property);

  ByteReader& packet_;
  ByteView block_;
  ByteReader in_;
  PacketType where_;
  uint64_t seen_ = 0;  // a bit for each identifier
  const uint8_t* first_user_property_ = nullptr;
};

// Keeps `property` if it is one that a server forwards; user properties only as part of the window.
bool take_application_property(const Property& property, ApplicationProperties& out);

// For packets that have nothing but a Reason String and User Properties.
void read_explanation(ByteReader& in, PacketType where,
                      std::optional<std::string_view>& reason_string,
                      UserProperties& user_properties);

}  // namespace shoal
