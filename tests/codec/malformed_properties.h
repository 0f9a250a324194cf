// The rows of malformed_table.h about properties: every property x every packet x {misplaced,
// twice, wrong length, cut short, bad text, out of range}. The table of properties here is written
// down from the standard (2.2.2.2, table 2-4) on its own: it must not lean on what it tests.
#pragma once

#include "tests/codec/malformed_table.h"

namespace shoal {
namespace malformed_properties_detail {

constexpr ReasonCode kMalformed = ReasonCode::kMalformedPacket;
constexpr ReasonCode kProtocol = ReasonCode::kProtocolError;

// A property block's place: a packet without it, in the two parts that stand around it. A place's
// letter is what SpecProperty::places names it by.
struct BlockPlace {
  char letter;
  const char* name;
  uint8_t first_byte;
  const char* before;
  const char* after;
  // Comes first in the block, because the packet may not do without it.
  const char* needed = "";
};

inline const std::vector<BlockPlace>& client_places() {
  static const std::vector<BlockPlace> places = {
      {'C', "CONNECT", 0x10, "0004 'MQTT' 05 02 003C", "0002 'id'"},
      {'W', "will", 0x10, "0004 'MQTT' 05 06 003C 00 0002 'id'", "0001 'w' 0000"},
      {'P', "PUBLISH", 0x32, "0001 'a' 0001", ""},
      {'1', "PUBACK", 0x40, "0001 00", ""},
      {'2', "PUBREC", 0x50, "0001 00", ""},
      {'3', "PUBREL", 0x62, "0001 00", ""},
      {'4', "PUBCOMP", 0x70, "0001 00", ""},
      {'S', "SUBSCRIBE", 0x82, "0001", "0001 'a' 00"},
      {'U', "UNSUBSCRIBE", 0xA2, "0001", "0001 'a'"},
      {'D', "DISCONNECT", 0xE0, "04", ""},
      {'X', "AUTH", 0xF0, "18", "", "15 0001 'm'"},
  };
  return places;
}

// Where a server's packets hold one, for what reads them.
inline const std::vector<BlockPlace>& server_places() {
  static const std::vector<BlockPlace> places = {
      {'c', "CONNACK", 0x20, "00 00", ""},
      {'P', "PUBLISH of a server", 0x32, "0001 'a' 0001", ""},
      {'s', "SUBACK", 0x90, "0001", "00"},
      {'u', "UNSUBACK", 0xB0, "0001", "00"},
      {'D', "DISCONNECT of a server", 0xE0, "8B", ""},
      {'X', "AUTH of a server", 0xF0, "18", "", "15 0001 'm'"},
  };
  return places;
}

struct SpecProperty {
  uint8_t id;
  const char* name;
  char type;  // 1 2 4 bytes, v varint, b binary, s string, p pair
  // Letters of BlockPlace; c CONNACK, s SUBACK, u UNSUBACK: those only a server sends.
  const char* places;
  std::vector<const char*> out_of_range{};  // values
  ReasonCode range_reason = ReasonCode::kProtocolError;
};

inline const std::vector<SpecProperty>& spec_properties() {
  static const std::vector<SpecProperty> properties = {
      {0x01, "Payload Format Indicator", '1', "PW", {"02", "FF"}},
      {0x02, "Message Expiry Interval", '4', "PW"},
      // [MQTT5-3.3.2-19]
      {0x03, "Content Type", 's', "PW"},
      // [MQTT5-3.3.2-13] [MQTT5-3.3.2-14]
      {0x08, "Response Topic", 's', "PW", {"0001 '#'", "0003 'a/+'", "0000"}, kMalformed},
      {0x09, "Correlation Data", 'b', "PW"},
      {0x0B, "Subscription Identifier", 'v', "PS", {"00"}},
      {0x11, "Session Expiry Interval", '4', "CcD"},
      {0x12, "Assigned Client Identifier", 's', "c"},
      {0x13, "Server Keep Alive", '2', "c"},
      {0x15, "Authentication Method", 's', "CcX"},
      {0x16, "Authentication Data", 'b', "CcX"},
      {0x17, "Request Problem Information", '1', "C", {"02"}},
      {0x18, "Will Delay Interval", '4', "W"},
      {0x19, "Request Response Information", '1', "C", {"02"}},
      {0x1A, "Response Information", 's', "c"},
      {0x1C, "Server Reference", 's', "cD"},
      {0x1F, "Reason String", 's', "c1234suDX"},
      {0x21, "Receive Maximum", '2', "Cc", {"0000"}},
      {0x22, "Topic Alias Maximum", '2', "Cc"},
      // [MQTT5-3.3.2-8]
      {0x23, "Topic Alias", '2', "P", {"0000"}, ReasonCode::kTopicAliasInvalid},
      {0x24, "Maximum QoS", '1', "c", {"02"}},
      {0x25, "Retain Available", '1', "c", {"02"}},
      {0x26, "User Property", 'p', "CcPW1234SsUuDX"},
      {0x27, "Maximum Packet Size", '4', "Cc", {"00000000"}},
      {0x28, "Wildcard Subscription Available", '1', "c", {"02"}},
      {0x29, "Subscription Identifier Available", '1', "c", {"02"}},
      {0x2A, "Shared Subscription Available", '1', "c", {"02"}},
  };
  return properties;
}

inline bool belongs(const SpecProperty& property, const BlockPlace& place) {
  return std::string_view(property.places).find(place.letter) != std::string_view::npos;
}

// A value that is in range everywhere. Texts end in 'z': taken for an identifier, it is unknown.
inline Bytes valid_value(char type) {
  switch (type) {
    case '1': return bytes("01");
    case '2': return bytes("0102");
    case '4': return bytes("01020304");
    case 'v': return bytes("8101");
    case 'b':
    case 's': return bytes("0003 'xyz'");
    default: return bytes("0002 'nz' 0002 'vz'");
  }
}

inline Bytes valid_property(const SpecProperty& property) {
  return Bytes{property.id} + valid_value(property.type);
}

inline Bytes packet_around(const BlockPlace& place, const Bytes& block_with_length) {
  return packet_bytes(place.first_byte,
                      bytes(place.before) + block_with_length + bytes(place.after));
}

inline void add_row(std::vector<MalformedCase>& out, const BlockPlace& place,
                    const std::string& what, const Bytes& block_with_length, ReasonCode reason) {
  std::string name = std::string(place.name) + ": " + what;
  Bytes packet = packet_around(place, block_with_length);
  const bool connect = place.letter == 'C' || place.letter == 'W';
  out.push_back(connect ? refused_connect_5(std::move(name), std::move(packet), reason)
                        : refused_packet(std::move(name), ProtocolVersion::kMqtt5,
                                         std::move(packet), reason));
}

// What must come before a property where it stands: a method, unless this is it.
inline Bytes block_start(const SpecProperty& property, const BlockPlace& place) {
  if (property.id == 0x16 && place.letter == 'C') return bytes("15 0001 'm'");
  if (property.id == 0x15) return {};
  return bytes(place.needed);
}

inline void add_twice(std::vector<MalformedCase>& out, const SpecProperty& property,
                      const BlockPlace& place) {
  if (property.type == 'p') return;  // a User Property may be there as often as you like
  if (property.id == 0x0B && place.letter == 'P') return;  // so may this, but not from a client
  const Bytes once = valid_property(property);
  add_row(out, place, std::string(property.name) + " twice",
          block_bytes(block_start(property, place) + once + once), kProtocol);
}

inline void add_cut_short(std::vector<MalformedCase>& out, const SpecProperty& property,
                          const BlockPlace& place) {
  const Bytes start = block_start(property, place);
  const Bytes whole = valid_property(property);
  for (size_t size = 1; size < whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<long>(size));
    add_row(out, place, std::string(property.name) + " cut to " + std::to_string(size),
            block_bytes(start + cut), kMalformed);
  }
}

// A length that is one too much or one too little: of the block, then of the text in it.
inline void add_wrong_length(std::vector<MalformedCase>& out, const SpecProperty& property,
                             const BlockPlace& place) {
  const std::string name = property.name;
  const Bytes block = block_start(property, place) + valid_property(property);
  for (const int difference : {-1, 1}) {
    const auto length = static_cast<uint8_t>(static_cast<int>(block.size()) + difference);
    add_row(out, place, name + ", block length off by " + std::to_string(difference),
            Bytes{length} + block, kMalformed);
    if (std::string_view("bsp").find(property.type) == std::string_view::npos) continue;
    // The last text's length: two bytes before its characters.
    Bytes wrong = block;
    const size_t length_at = block.size() - (property.type == 'p' ? 3 : 4);
    wrong[length_at] = static_cast<uint8_t>(wrong[length_at] + difference);
    add_row(out, place, name + ", text length off by " + std::to_string(difference),
            block_bytes(wrong), kMalformed);
  }
}

inline void add_bad_text(std::vector<MalformedCase>& out, const SpecProperty& property,
                         const BlockPlace& place) {
  const struct {
    const char* name;
    const char* text;
  } texts[] = {{"[MQTT5-1.5.4-1] a lone continuation byte", "80"},
               {"[MQTT5-1.5.4-1] a surrogate", "EDBFBF"},
               {"[MQTT5-1.5.4-1] an overlong form", "E08080"},
               {"[MQTT5-1.5.4-1] above U+10FFFF", "F4908080"},
               {"[MQTT5-1.5.4-2] U+0000", "'a' 00"}};
  const Bytes start = block_start(property, place) + Bytes{property.id};
  for (const auto& row : texts) {
    const Bytes text = bytes(row.text);
    const Bytes bad = string_bytes({reinterpret_cast<const char*>(text.data()), text.size()});
    const std::string name = std::string(row.name) + " in " + property.name;
    if (property.type == 's') add_row(out, place, name, block_bytes(start + bad), kMalformed);
    if (property.type != 'p') continue;
    add_row(out, place, "[MQTT5-1.5.7-1] " + name + "'s name",
            block_bytes(start + bad + string_bytes("v")), kMalformed);
    add_row(out, place, "[MQTT5-1.5.7-1] " + name + "'s value",
            block_bytes(start + string_bytes("n") + bad), kMalformed);
  }
}

inline void add_allowed(std::vector<MalformedCase>& out, const SpecProperty& property,
                        const BlockPlace& place) {
  add_twice(out, property, place);
  add_cut_short(out, property, place);
  add_wrong_length(out, property, place);
  add_bad_text(out, property, place);
  for (const char* value : property.out_of_range) {
    add_row(out, place, std::string(property.name) + " " + value,
            block_bytes(block_start(property, place) + Bytes{property.id} + bytes(value)),
            property.range_reason);
  }
}

inline void add_block_rows(std::vector<MalformedCase>& out, const BlockPlace& place) {
  for (const char* id : {"00", "04", "0A", "20", "2B", "7F", "8001", "8100", "FFFFFF7F"}) {
    add_row(out, place, std::string("unknown property ") + id,
            block_bytes(bytes(place.needed) + bytes(id) + bytes("01")), kMalformed);
  }
  add_row(out, place, "[MQTT5-1.5.5-1] padded block length", bytes("8000"), kMalformed);
  add_row(out, place, "block length of five bytes", bytes("8080808001"), kMalformed);
  add_row(out, place, "block longer than the packet", bytes("7F"), kMalformed);
}

}  // namespace malformed_properties_detail

inline std::vector<MalformedCase> malformed_properties(
    const std::vector<malformed_properties_detail::BlockPlace>& places =
        malformed_properties_detail::client_places()) {
  using namespace malformed_properties_detail;
  std::vector<MalformedCase> out;
  for (const BlockPlace& place : places) {
    add_block_rows(out, place);
    for (const SpecProperty& property : spec_properties()) {
      if (belongs(property, place)) {
        add_allowed(out, property, place);
      } else {
        add_row(out, place, std::string("misplaced ") + property.name,
                block_bytes(bytes(place.needed) + valid_property(property)), kMalformed);
      }
    }
  }
  return out;
}

}  // namespace shoal
