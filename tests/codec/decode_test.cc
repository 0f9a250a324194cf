// What a decoded packet says, field by field.
#include "node/codec/decode.h"

#include <gtest/gtest.h>

#include "tests/codec/reencode.h"

namespace shoal {
namespace {

constexpr Sender kClient = Sender::kClient;
constexpr Sender kServer = Sender::kServer;

struct Row {
  ProtocolVersion version;
  Sender sender;
  uint8_t first_byte;
  const char* body;
  const char* description;
};

void expect_rows(std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    const Bytes packet = packet_bytes(row.first_byte, bytes(row.body));
    EXPECT_EQ(describe(decode_whole(packet, row.version, row.sender)), row.description)
        << hex_of(packet);
  }
}

TEST(Decode, Connect) {
  expect_rows({
      {k31, kClient, 0x10, "0006 'MQIsdp' 03 00 0100 0002 'id'",
       "CONNECT version:3 keep_alive:256 client_id:'id'"},
      {k311, kClient, 0x10, "0004 'MQTT' 04 02 003C 0000",
       "CONNECT version:4 clean_start:yes keep_alive:60 client_id:''"},
      // The payload's order [MQTT5-3.1.3-1] [MQTT311-3.1.3-1]
      {k311, kClient, 0x10,
       "0004 'MQTT' 04 F4 003C 0002 'id' 0001 'w' 0002 'wp' 0004 'user' 0004 'pass'",
       "CONNECT version:4 keep_alive:60 client_id:'id' will:'w' will_payload:[77 70] will_qos:2 "
       "will_retain:yes user_name:'user' password:[70 61 73 73]"},
      {k5, kClient, 0x10,
       "0004 'MQTT' 05 CE 000A 12 11 FFFFFFFF 21 0014 27 00000064 22 0001 19 00 "
       "0002 'id' 0E 18 00000005 26 0001 'n' 0003 'v;v' 0001 'w' 0000 0000 0001 FF",
       "CONNECT version:5 clean_start:yes keep_alive:10 client_id:'id' session_expiry:4294967295 "
       "receive_maximum:20 maximum_packet_size:100 topic_alias_maximum:1 response_information:no "
       "will:'w' will_payload:[] will_qos:1 will_delay:5 user:n=v;v user_name:'' password:[FF]"},
      // [MQTT5-3.1.3-10]: a will's user properties keep their order, repeats included.
      {k5, kClient, 0x10,
       "0004 'MQTT' 05 04 0000 00 0000 1A 26 0001 'b' 0001 '1' 02 00000009 26 0001 'a' 0001 '2' "
       "26 0001 'b' 0001 '1' 0001 'w' 0000",
       "CONNECT version:5 keep_alive:0 client_id:'' will:'w' will_payload:[] will_qos:0 "
       "will_expiry:9 user:b=1 user:a=2 user:b=1"},
      {k5, kClient, 0x10, "0004 'MQTT' 05 00 0000 0D 15 0003 'GS2' 16 0002 0001 17 00 0000",
       "CONNECT version:5 keep_alive:0 client_id:'' problem_information:no method:'GS2' "
       "data:[00 01]"},
  });
}

// What 3.1 lets pass and 3.1.1 does not: reserved bits, the will's bits without a will, and user
// name and password that are announced but not there.
TEST(Decode, ConnectOf31IsLenient) {
  expect_rows({
      {k31, kClient, 0x1F, "0006 'MQIsdp' 03 03 0000 0002 'id'",
       "CONNECT version:3 clean_start:yes keep_alive:0 client_id:'id'"},
      {k31, kClient, 0x10, "0006 'MQIsdp' 03 38 0000 0002 'id'",
       "CONNECT version:3 keep_alive:0 client_id:'id'"},
      {k31, kClient, 0x10, "0006 'MQIsdp' 03 C0 0000 0002 'id'",
       "CONNECT version:3 keep_alive:0 client_id:'id'"},
      {k31, kClient, 0x10, "0006 'MQIsdp' 03 C0 0000 0002 'id' 0001 'u'",
       "CONNECT version:3 keep_alive:0 client_id:'id' user_name:'u'"},
      {k31, kClient, 0x8A, "0001 0001 'a' 01", "SUBSCRIBE id:1 filter:'a' qos:1 retain_handling:0"},
      {k31, kClient, 0x6A, "0001", "PUBREL id:1"},
      {k31, kServer, 0x20, "FF 05", "CONNACK reason:not_authorized"},
  });
}

TEST(Decode, TheBeginningOfAConnectSaysHowToAnswer) {
  const struct {
    const char* beginning;
    std::optional<ProtocolVersion> answer;
  } rows[] = {
      {"10 FF FF FF 7F 00 04 4D 51 54 54 05", k5},
      {"10 80 80 40 00 04 4D 51 54 54 05 02", k5},
      {"10 80 80 40 00 04 4D 51 54 54 06 02", k5},  // the refusal that a later version can read
      {"10 80 80 40 00 04 4D 51 54 54 04 02", std::nullopt},
      {"10 80 80 40 00 06 4D 51 49 73 64 70", std::nullopt},
      {"10 80 80 40 00 04 48 54 54 50 05 02", std::nullopt},
      {"10 80 80 40 00 04 4D 51 54 54", std::nullopt},
      {"10 FF FF FF FF FF 04 4D 51 54 54 05", std::nullopt},
      {"20 80 80 40 00 04 4D 51 54 54 05 02", std::nullopt},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(answer_to_beginning(bytes(row.beginning)), row.answer) << row.beginning;
  }
}

TEST(Decode, Connack) {
  expect_rows({
      {k311, kServer, 0x20, "01 00", "CONNACK session_present:yes"},
      {k311, kServer, 0x20, "00 01", "CONNACK reason:unsupported_protocol_version"},
      {k5, kServer, 0x20, "00 00 0A 24 00 25 01 13 0005 22 0007",
       "CONNACK maximum_qos:0 retain:yes topic_alias_maximum:7 keep_alive:5"},
      {k5, kServer, 0x20, "00 9C 0A 1C 0001 's' 1F 0001 'r' 28 00",
       "CONNACK reason:use_another_server why:'r' wildcards:no server:'s'"},
  });
}

TEST(Decode, Publish) {
  expect_rows({
      {k311, kClient, 0x30, "0001 'a'", "PUBLISH qos:0 id:0 topic:'a' payload:[]"},
      {k311, kClient, 0x3B, "0003 'a/b' 0102 FF00",
       "PUBLISH dup:yes qos:1 retain:yes id:258 topic:'a/b' payload:[FF 00]"},
      // A topic keeps its byte order mark [MQTT5-1.5.4-3] [MQTT311-1.5.3-3], and 3.x its properties
      // for payload.
      {k31, kClient, 0x30, "0004 EFBBBF 'a' 00",
       "PUBLISH qos:0 id:0 topic:'\xEF\xBB\xBF"
       "a' payload:[00]"},
      {k5, kClient, 0x30, "0000 03 23 FFFF", "PUBLISH qos:0 id:0 topic:'' alias:65535 payload:[]"},
      {k5, kClient, 0x34, "0001 'a' 0001 07 01 01 02 00000000 'x'",
       "PUBLISH qos:2 id:1 topic:'a' expiry:0 format:1 payload:[78]"},
      {k5, kClient, 0x30, "0001 'a' 15 26 0001 'k' 0000 08 0001 'r' 26 0001 'k' 0000 09 0002 0000",
       "PUBLISH qos:0 id:0 topic:'a' response_topic:'r' correlation:[00 00] user:k= user:k= "
       "payload:[]"},
      {k5, kServer, 0x30, "0001 'a' 08 0B 02 01 00 0B FFFF7F",
       "PUBLISH qos:0 id:0 topic:'a' subscription:2 subscription:2097151 format:0 payload:[]"},
  });
}

TEST(Decode, Acknowledgements) {
  expect_rows({
      {k311, kClient, 0x40, "FFFF", "PUBACK id:65535"},
      {k5, kClient, 0x50, "0001 00", "PUBREC id:1"},
      {k5, kClient, 0x62, "0001 92 00", "PUBREL id:1 reason:packet_identifier_not_found"},
      {k5, kServer, 0x70, "0001 00 0B 26 0001 'a' 0001 'b' 1F 0001 'r'",
       "PUBCOMP id:1 why:'r' user:a=b"},
      {k5, kServer, 0x40, "0001 10", "PUBACK id:1 reason:no_matching_subscribers"},
      // [MQTT5-3.9.3-1] [MQTT5-3.11.3-1] [MQTT311-3.9.3-1]: one code a filter, in order.
      {k5, kServer, 0x90, "0001 00 01 87", "SUBACK id:1 code:granted_qos_1 code:not_authorized"},
      {k311, kServer, 0x90, "0001 02 80", "SUBACK id:1 code:granted_qos_2 code:unspecified_error"},
      {k5, kServer, 0xB0, "0001 00 11 00",
       "UNSUBACK id:1 code:no_subscription_existed code:success"},
      {k311, kServer, 0xB0, "0001", "UNSUBACK id:1"},
  });
}

TEST(Decode, Subscriptions) {
  expect_rows({
      {k311, kClient, 0x82, "0001 0001 'a' 02 0001 '#' 00",
       "SUBSCRIBE id:1 filter:'a' qos:2 retain_handling:0 filter:'#' qos:0 retain_handling:0"},
      {k5, kClient, 0x82, "0001 02 0B 7F 0001 'a' 2D",
       "SUBSCRIBE id:1 identifier:127 filter:'a' qos:1 no_local:yes retain_as_published:yes "
       "retain_handling:2"},
      {k5, kClient, 0xA2, "0001 07 26 0001 'a' 0001 'b' 0001 'x' 0001 'y'",
       "UNSUBSCRIBE id:1 user:a=b filter:'x' filter:'y'"},
  });
}

TEST(Decode, TheRest) {
  expect_rows({
      {k5, kClient, 0xC0, "", "PINGREQ"},
      {k5, kServer, 0xD0, "", "PINGRESP"},
      {k311, kClient, 0xE0, "", "DISCONNECT"},
      {k5, kClient, 0xE0, "04 05 11 00000001",
       "DISCONNECT reason:disconnect_with_will_message session_expiry:1"},
      {k5, kClient, 0xF0, "18 06 16 0000 15 0000",
       "AUTH reason:continue_authentication method:'' "
       "data:[]"},
  });
}

// The window over what is forwarded: alone it is handed on as it is, else without what stands
// between.
TEST(Decode, ApplicationProperties) {
  const struct {
    const char* properties;
    const char* forwarded;
    bool contiguous;
  } rows[] = {
      {"", "", true},
      {"23 0001 02 00000001", "", true},
      {"01 00", "01 00", true},
      // [MQTT5-3.3.2-4] [MQTT5-3.3.2-15] [MQTT5-3.3.2-16] [MQTT5-3.3.2-17] [MQTT5-3.3.2-18]
      // [MQTT5-3.3.2-20]
      {"23 0001 26 0001 'b' 0000 09 0001 00 26 0001 'a' 0000 03 0001 'c' 08 0001 'r' 01 01",
       "26 0001 'b' 0000 09 0001 00 26 0001 'a' 0000 03 0001 'c' 08 0001 'r' 01 01", true},
      {"01 01 02 00000005 23 0001", "01 01", true},
      {"01 01 02 00000005 26 0000 0000", "01 01 26 0000 0000", false},
      {"26 0000 0000 23 0001 26 0000 0000 02 00000005 03 0000", "26 0000 0000 26 0000 0000 03 0000",
       false},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.properties);
    const Bytes packet =
        packet_bytes(0x30, bytes("0001 'a'") + block_bytes(bytes(row.properties)) + bytes("'x'"));
    const Decoded decoded = decode_whole(packet, k5, kClient);
    const auto* publish = std::get_if<Publish>(&decoded);
    ASSERT_NE(publish, nullptr) << describe(decoded);
    Bytes forwarded;
    append_application_properties(publish->application, forwarded);
    EXPECT_EQ(hex_of(forwarded), hex_of(bytes(row.forwarded)));
    EXPECT_EQ(publish->application.is_contiguous(), row.contiguous);
  }
}

}  // namespace
}  // namespace shoal
