// The rows of malformed_table.h that are written by hand: all but the properties.
#pragma once

#include "tests/codec/malformed_table.h"

namespace shoal {
namespace malformed_packets_detail {

constexpr ProtocolVersion k31 = ProtocolVersion::kMqtt31;
constexpr ProtocolVersion k311 = ProtocolVersion::kMqtt311;
constexpr ProtocolVersion k5 = ProtocolVersion::kMqtt5;
constexpr ReasonCode kMalformed = ReasonCode::kMalformedPacket;
constexpr ReasonCode kProtocol = ReasonCode::kProtocolError;
constexpr ReasonCode kVersion = ReasonCode::kUnsupportedProtocolVersion;

inline void add_versions(std::vector<MalformedCase>& out) {
  const auto row = [&out](const char* name, ProtocolVersion speaks, const char* body,
                          ReasonCode reason, std::optional<ProtocolVersion> answer_as) {
    out.push_back(
        refused_connect(name, speaks, packet_bytes(0x10, bytes(body)), reason, answer_as));
  };
  row("[MQTT5-3.1.2-1] [MQTT311-3.1.2-1] another protocol's name", k5,
      "0004 'AMQP' 05 02 0000 00 0002 'id'", kVersion, {});
  row("[MQTT5-3.1.2-1] the name in lower case", k5, "0004 'mqtt' 05 02 0000 00 0002 'id'", kVersion,
      {});
  row("[MQTT5-3.1.2-1] an empty name", k5, "0000 05 02 0000 00 0002 'id'", kVersion, {});
  row("[MQTT5-1.5.4-1] a name that is no UTF-8", k5, "0004 'MQT' FF 05 02 0000 00 0002 'id'",
      kMalformed, {});
  row("a CONNECT that ends in the name", k5, "0004 'MQ'", kMalformed, {});
  row("a CONNECT that ends before the level", k5, "0004 'MQTT'", kMalformed, {});
  row("an empty CONNECT", k5, "", kMalformed, {});
  row("[MQTT5-3.1.2-2] level 6", k5, "0004 'MQTT' 06 02 0000 00 0002 'id'", kVersion, k5);
  row("[MQTT5-3.1.2-2] level 6, and nothing after it", k5, "0004 'MQTT' 06", kVersion, k5);
  row("[MQTT5-3.1.2-2] level 127", k5, "0004 'MQTT' 7F 02 0000 00 0002 'id'", kVersion, k5);
  row("[MQTT311-3.1.2-2] level 128", k311, "0004 'MQTT' 80 02 0000 0002 'id'", kVersion, k311);
  row("[MQTT311-3.1.2-2] level 6 under the old name", k31, "0006 'MQIsdp' 06 02 0000 0002 'id'",
      kVersion, k311);
  row("[MQTT311-3.1.2-2] level 0", k311, "0004 'MQTT' 00 02 0000 0002 'id'", kVersion, k311);
  row("[MQTT311-3.1.2-2] level 3 under the new name", k311, "0004 'MQTT' 03 02 0000 0002 'id'",
      kVersion, k311);
  row("[MQTT311-3.1.2-2] level 4 under the old name", k31, "0006 'MQIsdp' 04 02 0000 0002 'id'",
      kVersion, k311);
  row("[MQTT311-3.1.2-2] a bridge's level 0x84", k311, "0004 'MQTT' 84 02 0000 0002 'id'", kVersion,
      k311);
}

inline void add_connect_flags(std::vector<MalformedCase>& out) {
  const auto row_5 = [&out](const char* name, const char* body) {
    out.push_back(refused_connect_5(name, packet_bytes(0x10, bytes(body)), kMalformed));
  };
  row_5("[MQTT5-3.1.2-3] reserved connect flag", "0004 'MQTT' 05 03 0000 00 0002 'id'");
  row_5("[MQTT5-3.1.2-11] will QoS 1 without a will", "0004 'MQTT' 05 0A 0000 00 0002 'id'");
  row_5("[MQTT5-3.1.2-13] will retain without a will", "0004 'MQTT' 05 22 0000 00 0002 'id'");
  row_5("[MQTT5-3.1.2-12] will QoS 3", "0004 'MQTT' 05 1E 0000 00 0002 'id' 00 0001 'w' 0000");
  row_5("[MQTT5-3.1.2-9] will flag without a will", "0004 'MQTT' 05 06 0000 00 0002 'id'");
  row_5("[MQTT5-3.1.2-9] will without a payload",
        "0004 'MQTT' 05 06 0000 00 0002 'id' 00 0001 'w'");
  row_5("[MQTT5-3.1.2-17] user name flag without one", "0004 'MQTT' 05 82 0000 00 0002 'id'");
  row_5("[MQTT5-3.1.2-16] user name without its flag",
        "0004 'MQTT' 05 02 0000 00 0002 'id' 0001 'u'");
  row_5("[MQTT5-3.1.2-19] password flag without one",
        "0004 'MQTT' 05 C2 0000 00 0002 'id' 0001 'u'");
  row_5("[MQTT5-3.1.2-18] password without its flag",
        "0004 'MQTT' 05 82 0000 00 0002 'id' 0001 'u' 0001 'p'");

  const auto row_311 = [&out](const char* name, const char* body) {
    out.push_back(refused_connect(name, k311, packet_bytes(0x10, bytes(body)), kMalformed, {}));
  };
  row_311("[MQTT311-3.1.2-3] reserved connect flag", "0004 'MQTT' 04 03 0000 0002 'id'");
  row_311("[MQTT311-3.1.2-11] [MQTT311-3.1.2-13] will QoS 2 without a will",
          "0004 'MQTT' 04 12 0000 0002 'id'");
  row_311("[MQTT311-3.1.2-15] will retain without a will", "0004 'MQTT' 04 22 0000 0002 'id'");
  row_311("[MQTT311-3.1.2-14] will QoS 3", "0004 'MQTT' 04 1E 0000 0002 'id' 0001 'w' 0000");
  row_311("[MQTT311-3.1.2-9] will flag without a will", "0004 'MQTT' 04 06 0000 0002 'id'");
  row_311("[MQTT311-3.1.2-19] user name flag without one", "0004 'MQTT' 04 82 0000 0002 'id'");
  row_311("[MQTT311-3.1.2-18] user name without its flag",
          "0004 'MQTT' 04 02 0000 0002 'id' 0001 'u'");
  row_311("[MQTT311-3.1.2-21] password flag without one",
          "0004 'MQTT' 04 C2 0000 0002 'id' 0001 'u'");
  row_311("[MQTT311-3.1.2-20] password without its flag",
          "0004 'MQTT' 04 82 0000 0002 'id' 0001 'u' 0001 'p'");
  row_311("[MQTT311-3.1.2-22] password without a user name",
          "0004 'MQTT' 04 42 0000 0002 'id' 0001 'p'");
  out.push_back(refused_connect(
      "3.1: password without a user name", k31,
      packet_bytes(0x10, bytes("0006 'MQIsdp' 03 42 0000 0002 'id' 0001 'p'")), kMalformed, {}));
}

inline void add_connect_payloads(std::vector<MalformedCase>& out) {
  const auto row_5 = [&out](const char* name, const char* flags_and_payload) {
    out.push_back(refused_connect_5(
        name, packet_bytes(0x10, bytes("0004 'MQTT' 05") + bytes(flags_and_payload)), kMalformed));
  };
  row_5("[MQTT5-3.1.3-3] no client identifier", "02 0000 00");
  row_5("[MQTT5-3.1.3-4] client identifier with a surrogate", "02 0000 00 0003 EDA080");
  row_5("[MQTT5-3.1.3-4] [MQTT5-1.5.4-2] client identifier with U+0000", "02 0000 00 0002 'i' 00");
  row_5("client identifier cut short", "02 0000 00 0003 'id'");
  row_5("[MQTT5-3.1.3-11] will topic that is no UTF-8", "06 0000 00 0002 'id' 00 0001 FF 0000");
  row_5("[MQTT5-4.7.0-1] will topic with a wildcard", "06 0000 00 0002 'id' 00 0003 'a/#' 0000");
  row_5("[MQTT5-4.7.3-1] empty will topic", "06 0000 00 0002 'id' 00 0000 0000");
  row_5("[MQTT5-3.1.3-12] user name that is no UTF-8", "82 0000 00 0002 'id' 0002 C0AF");
  row_5("bytes after the payload", "02 0000 00 0002 'id' 00");
  row_5("CONNECT that ends in the keep alive", "02 00");
  row_5("CONNECT that ends before the properties", "02 0000");

  out.push_back(refused_connect_5(
      "3.1.2.11.10 authentication data without a method",
      packet_bytes(0x10, bytes("0004 'MQTT' 05 02 003C 04 16 0001 'd' 0002 'id'")), kProtocol));

  const auto row_311 = [&out](const char* name, const char* flags_and_payload) {
    out.push_back(refused_connect(
        name, k311, packet_bytes(0x10, bytes("0004 'MQTT' 04") + bytes(flags_and_payload)),
        kMalformed, {}));
  };
  row_311("[MQTT311-3.1.3-3] no client identifier", "02 0000");
  row_311("[MQTT311-3.1.3-4] [MQTT311-1.5.3-1] client identifier with an overlong form",
          "02 0000 0002 C080");
  row_311("[MQTT311-1.5.3-2] client identifier with U+0000", "02 0000 0002 'i' 00");
  row_311("[MQTT311-3.1.3-10] will topic that is no UTF-8", "06 0000 0002 'id' 0001 80 0000");
  row_311("[MQTT311-4.7.1-1] will topic with a wildcard", "06 0000 0002 'id' 0001 '+' 0000");
  row_311("[MQTT311-3.1.3-11] user name that is no UTF-8", "82 0000 0002 'id' 0004 F5808080");
  row_311("bytes after the payload", "02 0000 0002 'id' 00");
}

// Reserved flags of the fixed header, types that do not exist or belong to the other side.
inline void add_fixed_headers(std::vector<MalformedCase>& out) {
  const struct {
    const char* name;
    uint8_t first_byte;
    const char* body_5;
    const char* body_311;
  } kinds[] = {
      {"[MQTT5-2.1.3-1] [MQTT311-2.2.2-2] PUBACK", 0x40, "0001", "0001"},
      {"[MQTT5-2.1.3-1] [MQTT311-2.2.2-2] PUBREC", 0x50, "0001", "0001"},
      {"[MQTT5-3.6.1-1] [MQTT311-3.6.1-1] PUBREL", 0x62, "0001", "0001"},
      {"[MQTT5-2.1.3-1] [MQTT311-2.2.2-2] PUBCOMP", 0x70, "0001", "0001"},
      {"[MQTT5-3.8.1-1] [MQTT311-3.8.1-1] SUBSCRIBE", 0x82, "0001 00 0001 'a' 00",
       "0001 0001 'a' 00"},
      {"[MQTT5-3.10.1-1] [MQTT311-3.10.1-1] UNSUBSCRIBE", 0xA2, "0001 00 0001 'a'",
       "0001 0001 'a'"},
      {"[MQTT5-2.1.3-1] [MQTT311-2.2.2-2] PINGREQ", 0xC0, "", ""},
      {"[MQTT5-3.14.1-1] [MQTT311-3.14.1-1] DISCONNECT", 0xE0, "", ""},
      {"[MQTT5-3.15.1-1] AUTH", 0xF0, "19 04 15 0001 'm'", nullptr},
  };
  for (const auto& kind : kinds) {
    for (uint8_t flags = 0; flags < 16; ++flags) {
      const auto first_byte = static_cast<uint8_t>((kind.first_byte & 0xF0) | flags);
      if (first_byte == kind.first_byte) continue;
      const std::string name = std::string(kind.name) + " with flags " + std::to_string(flags);
      out.push_back(
          refused_packet(name, k5, packet_bytes(first_byte, bytes(kind.body_5)), kMalformed));
      if (!kind.body_311) continue;
      out.push_back(
          refused_packet(name, k311, packet_bytes(first_byte, bytes(kind.body_311)), kMalformed));
    }
  }
  out.push_back(refused_connect_5("[MQTT5-2.1.3-1] CONNECT with flags 2",
                                  packet_bytes(0x12, bytes("0004 'MQTT' 05 02 0000 00 0002 'id'")),
                                  kMalformed));
  out.push_back(refused_connect("[MQTT311-2.2.2-2] CONNECT with flags 8", k311,
                                packet_bytes(0x18, bytes("0004 'MQTT' 04 02 0000 0002 'id'")),
                                kMalformed, {}));
  for (const ProtocolVersion version : {k31, k311, k5}) {
    out.push_back(refused_packet("packet type 0", version, bytes("00 00"), kMalformed));
    out.push_back(refused_packet("CONNACK from a client", version, bytes("20 02 0000"), kProtocol));
    out.push_back(
        refused_packet("SUBACK from a client", version, bytes("90 03 0001 00"), kProtocol));
    out.push_back(
        refused_packet("UNSUBACK from a client", version, bytes("B0 02 0001"), kProtocol));
    out.push_back(refused_packet("PINGRESP from a client", version, bytes("D0 00"), kProtocol));
    for (const char* length : {"FFFFFFFF", "8080808001", "FFFFFFFF7F"}) {
      out.push_back(refused_packet("Remaining Length of five bytes", version,
                                   bytes("30") + bytes(length), kMalformed));
    }
    out.push_back(refused_packet("[MQTT5-1.5.5-1] padded Remaining Length", version,
                                 bytes("C0 80 00"), kMalformed));
  }
  for (const ProtocolVersion version : {k31, k311}) {
    out.push_back(refused_packet("packet type 15 before 5.0", version, bytes("F0 00"), kMalformed));
  }
}

inline void add_publishes(std::vector<MalformedCase>& out) {
  const auto both = [&out](const char* name, uint8_t first_byte, const char* before,
                           const char* after, ReasonCode reason) {
    out.push_back(refused_packet(
        name, k5, packet_bytes(first_byte, bytes(before) + bytes("00") + bytes(after)), reason));
    for (const ProtocolVersion version : {k31, k311}) {
      out.push_back(refused_packet(name, version,
                                   packet_bytes(first_byte, bytes(before) + bytes(after)), reason));
    }
  };
  both("[MQTT5-3.3.1-4] [MQTT311-3.3.1-4] QoS 3", 0x36, "0001 'a' 0001", "'x'", kMalformed);
  both("[MQTT5-3.3.1-4] [MQTT311-3.3.1-4] QoS 3 with DUP and RETAIN", 0x3F, "0001 'a' 0001", "'x'",
       kMalformed);
  both("[MQTT5-3.3.1-2] [MQTT311-3.3.1-2] DUP at QoS 0", 0x38, "0001 'a'", "'x'", kMalformed);
  both("[MQTT5-2.2.1-3] [MQTT311-2.3.1-1] packet identifier 0 at QoS 1", 0x32, "0001 'a' 0000",
       "'x'", kProtocol);
  both("[MQTT5-2.2.1-3] [MQTT311-2.3.1-1] packet identifier 0 at QoS 2", 0x34, "0001 'a' 0000",
       "'x'", kProtocol);
  both("[MQTT5-3.3.2-2] [MQTT311-3.3.2-2] + in the topic", 0x30, "0003 'a/+'", "", kMalformed);
  both("[MQTT5-3.3.2-2] [MQTT311-3.3.2-2] [MQTT311-4.7.1-1] # in the topic", 0x30, "0001 '#'", "",
       kMalformed);
  both("[MQTT5-4.7.0-1] a wildcard within a level", 0x30, "0003 'a+b'", "", kMalformed);
  both("[MQTT5-3.3.2-1] [MQTT311-3.3.2-1] topic that is no UTF-8", 0x30, "0002 C328", "",
       kMalformed);
  both("[MQTT5-4.7.3-2] [MQTT311-4.7.3-2] U+0000 in the topic", 0x30, "0003 'a' 00 'b'", "",
       kMalformed);
  both("[MQTT5-4.7.3-1] [MQTT311-4.7.3-1] empty topic", 0x30, "0000", "'x'", kProtocol);
  out.push_back(
      refused_packet("topic longer than the packet", k5, bytes("30 03 0002 'a'"), kMalformed));
  out.push_back(
      refused_packet("topic longer than the packet", k311, bytes("30 03 0002 'a'"), kMalformed));
  out.push_back(refused_packet("no packet identifier", k311, bytes("32 03 0001 'a'"), kMalformed));
  out.push_back(
      refused_packet("half a packet identifier", k5, bytes("32 04 0001 'a' 00"), kMalformed));
  out.push_back(refused_packet("no properties", k5, bytes("30 03 0001 'a'"), kMalformed));
  out.push_back(refused_packet("empty PUBLISH", k5, bytes("30 00"), kMalformed));
  out.push_back(refused_packet("[MQTT5-3.3.4-6] subscription identifier from a client", k5,
                               bytes("30 06 0001 'a' 02 0B 01"), kProtocol));
}

inline void add_acks(std::vector<MalformedCase>& out) {
  const struct {
    const char* name;
    uint8_t first_byte;
    const char* wrong_reason;
  } kinds[] = {{"[MQTT5-3.4.2-1] PUBACK", 0x40, "92"},
               {"[MQTT5-3.5.2-1] PUBREC", 0x50, "01"},
               {"[MQTT5-3.6.2-1] PUBREL", 0x62, "91"},
               {"[MQTT5-3.7.2-1] PUBCOMP", 0x70, "80"}};
  for (const auto& kind : kinds) {
    const auto row = [&](const char* what, ProtocolVersion version, const Bytes& body,
                         ReasonCode reason) {
      out.push_back(refused_packet(std::string(kind.name) + what, version,
                                   packet_bytes(kind.first_byte, body), reason));
    };
    row(": not its reason code", k5, bytes("0001") + bytes(kind.wrong_reason), kProtocol);
    row(": a reason code that there is not", k5, bytes("0001 FF 00"), kProtocol);
    row(": packet identifier 0", k5, bytes("0000"), kProtocol);
    row(": bytes after the properties", k5, bytes("0001 00 00 00"), kMalformed);
    for (const ProtocolVersion version : {k31, k311, k5}) {
      row(": empty", version, {}, kMalformed);
      row(": half a packet identifier", version, bytes("01"), kMalformed);
    }
    for (const ProtocolVersion version : {k31, k311}) {
      row(": a reason code before 5.0", version, bytes("0001 00"), kMalformed);
    }
  }
  out.push_back(refused_packet("[MQTT5-3.4.2-1] PUBACK: 0x10 is a server's", k5,
                               bytes("40 03 0001 10"), kProtocol));
}

inline void add_filters(std::vector<MalformedCase>& out) {
  const struct {
    const char* name;
    const char* filter;
  } filters[] = {
      {"[MQTT5-4.7.3-1] [MQTT311-4.7.3-1] empty filter", ""},
      {"[MQTT5-4.7.1-1] [MQTT311-4.7.1-2] # before the end", "'#/a'"},
      {"[MQTT5-4.7.1-1] [MQTT311-4.7.1-2] # after a character", "'a/b#'"},
      {"[MQTT5-4.7.1-1] [MQTT311-4.7.1-2] # twice", "'##'"},
      {"[MQTT5-4.7.1-2] [MQTT311-4.7.1-3] + after a character", "'a+'"},
      {"[MQTT5-4.7.1-2] [MQTT311-4.7.1-3] + before a character", "'+a/b'"},
      {"[MQTT5-4.7.1-2] [MQTT311-4.7.1-3] + twice", "'a/++'"},
      {"[MQTT5-3.8.3-1] [MQTT5-3.10.3-1] [MQTT311-3.8.3-1] [MQTT311-3.10.3-1] no UTF-8", "'a/' FE"},
      {"[MQTT5-4.7.3-2] [MQTT311-4.7.3-2] U+0000", "'a' 00"},
      {"[MQTT5-4.8.2-1] share without a name", "'$share//a'"},
      {"[MQTT5-4.8.2-1] share without anything", "'$share/'"},
      {"[MQTT5-4.8.2-2] share without a filter", "'$share/g'"},
      {"[MQTT5-4.8.2-2] share with an empty filter", "'$share/g/'"},
      {"[MQTT5-4.8.2-2] + in the share name", "'$share/+/a'"},
      {"[MQTT5-4.8.2-2] # in the share name", "'$share/g#/a'"},
      {"[MQTT5-4.7.1-1] # before the end of a shared filter", "'$share/g/#/a'"},
  };
  for (const auto& row : filters) {
    const Bytes text = bytes(row.filter);
    const Bytes filter = string_bytes({reinterpret_cast<const char*>(text.data()), text.size()});
    for (const ProtocolVersion version : {k31, k311, k5}) {
      const Bytes head = bytes(version == k5 ? "0001 00" : "0001");
      const std::string name = row.name;
      out.push_back(refused_packet(name + ", SUBSCRIBE", version,
                                   packet_bytes(0x82, head + filter + bytes("00")), kMalformed));
      out.push_back(refused_packet(
          name + ", second in SUBSCRIBE", version,
          packet_bytes(0x82, head + bytes("0001 'a' 00") + filter + bytes("01")), kMalformed));
      out.push_back(refused_packet(name + ", UNSUBSCRIBE", version,
                                   packet_bytes(0xA2, head + filter), kMalformed));
    }
  }
}

inline void add_subscriptions(std::vector<MalformedCase>& out) {
  const auto row = [&out](const char* name, ProtocolVersion version, uint8_t first_byte,
                          const char* body, ReasonCode reason) {
    out.push_back(refused_packet(name, version, packet_bytes(first_byte, bytes(body)), reason));
  };
  row("[MQTT5-3.8.3-2] no filters", k5, 0x82, "0001 00", kProtocol);
  row("[MQTT5-3.10.3-2] no filters", k5, 0xA2, "0001 00", kProtocol);
  row("[MQTT5-2.2.1-3] packet identifier 0", k5, 0x82, "0000 00 0001 'a' 00", kProtocol);
  row("[MQTT5-2.2.1-3] packet identifier 0", k5, 0xA2, "0000 00 0001 'a'", kProtocol);
  row("[MQTT5-3.8.3-5] reserved option bit 6", k5, 0x82, "0001 00 0001 'a' 40", kMalformed);
  row("[MQTT5-3.8.3-5] reserved option bit 7", k5, 0x82, "0001 00 0001 'a' 80", kMalformed);
  row("3.8.3.1 QoS 3", k5, 0x82, "0001 00 0001 'a' 03", kProtocol);
  row("3.8.3.1 retain handling 3", k5, 0x82, "0001 00 0001 'a' 30", kProtocol);
  row("[MQTT5-3.8.3-4] no local on a shared subscription", k5, 0x82, "0001 00 000A '$share/g/a' 04",
      kProtocol);
  row("no options", k5, 0x82, "0001 00 0001 'a'", kMalformed);
  row("no options on the second", k5, 0x82, "0001 00 0001 'a' 00 0001 'b'", kMalformed);
  row("filter longer than the packet", k5, 0x82, "0001 00 0003 'a' 00", kMalformed);
  row("half a filter length", k5, 0xA2, "0001 00 0001 'a' 00", kMalformed);
  row("no properties", k5, 0x82, "0001", kMalformed);
  row("empty SUBSCRIBE", k5, 0x82, "", kMalformed);
  for (const ProtocolVersion version : {k31, k311}) {
    row("[MQTT311-3.8.3-3] no filters", version, 0x82, "0001", kProtocol);
    row("[MQTT311-3.10.3-2] no filters", version, 0xA2, "0001", kProtocol);
    row("[MQTT311-2.3.1-1] packet identifier 0", version, 0x82, "0000 0001 'a' 00", kProtocol);
    row("[MQTT311-2.3.1-1] packet identifier 0", version, 0xA2, "0000 0001 'a'", kProtocol);
    row("[MQTT311-3.8.3-4] QoS 3", version, 0x82, "0001 0001 'a' 03", kMalformed);
    row("[MQTT311-3.8.3-4] reserved bit 2", version, 0x82, "0001 0001 'a' 04", kMalformed);
    row("[MQTT311-3.8.3-4] reserved bit 7", version, 0x82, "0001 0001 'a' 80", kMalformed);
    row("no QoS", version, 0x82, "0001 0001 'a'", kMalformed);
  }
}

inline void add_the_rest(std::vector<MalformedCase>& out) {
  for (const ProtocolVersion version : {k31, k311, k5}) {
    out.push_back(refused_packet("PINGREQ with a body", version, bytes("C0 01 00"), kMalformed));
  }
  for (const ProtocolVersion version : {k31, k311}) {
    out.push_back(refused_packet("DISCONNECT with a reason before 5.0", version, bytes("E0 01 00"),
                                 kMalformed));
  }
  for (const char* reason : {"01", "87", "8B", "8E", "A2", "FF"}) {
    out.push_back(refused_packet(std::string("[MQTT5-3.14.2-1] not a client's reason: ") + reason,
                                 k5, packet_bytes(0xE0, bytes(reason)), kProtocol));
  }
  out.push_back(
      refused_packet("DISCONNECT with bytes after it", k5, bytes("E0 03 00 00 00"), kMalformed));
  for (const char* reason : {"00", "01", "80", "8C"}) {
    out.push_back(
        refused_packet(std::string("[MQTT5-3.15.2-1] not a client's reason in AUTH: ") + reason, k5,
                       packet_bytes(0xF0, bytes(reason) + bytes("04 15 0001 'm'")), kProtocol));
  }
  out.push_back(
      refused_packet("3.15.2.2.2 AUTH without a method", k5, bytes("F0 02 18 00"), kProtocol));
  out.push_back(refused_packet("3.15.2.2.2 empty AUTH", k5, bytes("F0 00"), kProtocol));
  out.push_back(refused_packet("AUTH without properties", k5, bytes("F0 01 18"), kMalformed));
  out.push_back(refused_packet("AUTH with bytes after it", k5, bytes("F0 07 18 04 15 0001 'm' 00"),
                               kMalformed));
}

}  // namespace malformed_packets_detail

inline std::vector<MalformedCase> malformed_packets() {
  using namespace malformed_packets_detail;
  std::vector<MalformedCase> out;
  add_versions(out);
  add_connect_flags(out);
  add_connect_payloads(out);
  add_fixed_headers(out);
  add_publishes(out);
  add_acks(out);
  add_filters(out);
  add_subscriptions(out);
  add_the_rest(out);
  return out;
}

}  // namespace shoal
