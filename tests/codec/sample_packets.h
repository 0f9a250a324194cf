// Well-formed packets in their canonical form: one that our own encoder would write. Each type in
// each version, with nothing optional and with everything. A header alone, for any test program.
#pragma once

#include <string>
#include <vector>

#include "node/codec/reason_code.h"
#include "shoal/types.h"
#include "tests/codec/bytes.h"

namespace shoal {

struct SamplePacket {
  std::string name;
  ProtocolVersion version;
  Sender sender;
  Bytes bytes;
};

namespace sample_packets_detail {

constexpr Sender kClient = Sender::kClient;
constexpr Sender kServer = Sender::kServer;
constexpr ProtocolVersion k31 = ProtocolVersion::kMqtt31;
constexpr ProtocolVersion k311 = ProtocolVersion::kMqtt311;
constexpr ProtocolVersion k5 = ProtocolVersion::kMqtt5;

inline constexpr const char* kTwoUserProperties = "26 0001 'a' 0001 'b' 26 0001 'a' 0002 'b2'";

inline Bytes reason_and_users() {
  return block_bytes(bytes("1F 0003 'why'") + bytes(kTwoUserProperties));
}

inline void add_connects(std::vector<SamplePacket>& out) {
  out.push_back({"connect 3.1", k31, kClient,
                 packet_bytes(0x10, bytes("0006 'MQIsdp' 03 02 003C 0002 'id'"))});
  out.push_back({"connect 3.1.1", k311, kClient,
                 packet_bytes(0x10, bytes("0004 'MQTT' 04 02 003C 0002 'id'"))});
  out.push_back({"connect 3.1.1, all", k311, kClient,
                 packet_bytes(0x10, bytes("0004 'MQTT' 04 F6 003C 0000 0003 'w/t' 0002 'wp' "
                                          "0004 'user' 0003 00FF01"))});
  out.push_back(
      {"connect 5.0", k5, kClient, packet_bytes(0x10, bytes("0004 'MQTT' 05 00 0000 00 0000"))});
  out.push_back({"connect 5.0, password alone", k5, kClient,
                 packet_bytes(0x10, bytes("0004 'MQTT' 05 42 0000 00 0002 'id' 0001 'p'"))});
  const Bytes properties = bytes("11 00000E10 21 000A 27 00010000 22 0005 19 01 17 00") +
                           bytes(kTwoUserProperties) + bytes("15 0005 'SCRAM' 16 0002 0001");
  const Bytes will_properties =
      bytes("18 0000000A 02 0000003C 01 01 03 0004 'text' 08 0005 'reply' 09 0002 0100") +
      bytes(kTwoUserProperties);
  out.push_back({"connect 5.0, all", k5, kClient,
                 packet_bytes(0x10, bytes("0004 'MQTT' 05 EE 003C") + block_bytes(properties) +
                                        bytes("0002 'id'") + block_bytes(will_properties) +
                                        bytes("0003 'w/t' 0000 0004 'user' 0000"))});
}

inline void add_connacks(std::vector<SamplePacket>& out) {
  out.push_back({"connack 3.1", k31, kServer, bytes("20 02 00 00")});
  out.push_back({"connack 3.1.1, session present", k311, kServer, bytes("20 02 01 00")});
  out.push_back({"connack 3.1.1, refused", k311, kServer, bytes("20 02 00 05")});
  out.push_back({"connack 5.0", k5, kServer, bytes("20 03 01 00 00")});
  out.push_back(
      {"connack 5.0, all", k5, kServer,
       packet_bytes(
           0x20, bytes("00 87") + block_bytes(bytes("11 00000001 21 0001 24 01 25 00 27 00000001 "
                                                    "12 0001 'x' 22 FFFF 1F 0003 'why'") +
                                              bytes(kTwoUserProperties) +
                                              bytes("28 00 29 01 2A 00 13 001E 1A 0001 'r' "
                                                    "1C 0004 'host' 15 0001 'm' 16 0000")))});
}

inline void add_publishes(std::vector<SamplePacket>& out) {
  for (const Sender sender : {kClient, kServer}) {
    out.push_back({"publish 3.1 QoS 1", k31, sender, bytes("3A 08 0003 'a/b' 0001 'x'")});
    out.push_back({"publish 3.1.1 QoS 0", k311, sender, bytes("30 06 0003 'a/b' 'x'")});
    out.push_back({"publish 3.1.1 QoS 1", k311, sender, bytes("33 08 0003 'a/b' FFFF 'x'")});
    out.push_back({"publish 5.0 QoS 0, empty", k5, sender, bytes("31 06 0003 'a/b' 00")});
    out.push_back({"publish 5.0 QoS 2, alias", k5, sender, bytes("3C 08 0000 0007 03 23 0001")});
    out.push_back({"publish 5.0, forwarded properties", k5, sender,
                   packet_bytes(0x3D, bytes("0005 'a/b/c' 1234") +
                                          block_bytes(bytes("23 0002 02 000000FF 01 00 03 0001 't' "
                                                            "08 0001 'r' 09 0000") +
                                                      bytes(kTwoUserProperties)) +
                                          bytes("'payload'"))});
  }
  out.push_back(
      {"publish 5.0, subscription identifiers", k5, kServer,
       packet_bytes(0x30, bytes("0001 'a'") + block_bytes(bytes("0B 01 0B FFFFFF7F 01 01")) +
                              bytes("'x'"))});
}

inline void add_acks(std::vector<SamplePacket>& out) {
  const struct {
    const char* name;
    uint8_t first_byte;
    uint8_t reason;
  } kinds[] = {{"puback", 0x40, 0x87},
               {"pubrec", 0x50, 0x97},
               {"pubrel", 0x62, 0x92},
               {"pubcomp", 0x70, 0x92}};
  for (const auto& kind : kinds) {
    for (const Sender sender : {kClient, kServer}) {
      const std::string name = kind.name;
      for (const ProtocolVersion version : {k31, k311, k5}) {
        out.push_back({name, version, sender, packet_bytes(kind.first_byte, bytes("0102"))});
      }
      const Bytes reason = {kind.reason};
      out.push_back(
          {name + ", reason", k5, sender, packet_bytes(kind.first_byte, bytes("0102") + reason)});
      out.push_back({name + ", all", k5, sender,
                     packet_bytes(kind.first_byte, bytes("0102") + reason + reason_and_users())});
      out.push_back({name + ", success with properties", k5, sender,
                     packet_bytes(kind.first_byte, bytes("0102 00") + reason_and_users())});
    }
  }
}

inline void add_subscriptions(std::vector<SamplePacket>& out) {
  for (const ProtocolVersion version : {k31, k311}) {
    out.push_back({"subscribe", version, kClient,
                   packet_bytes(0x82, bytes("0001 0003 'a/b' 00 0001 '#' 01 0003 'a/+' 02"))});
    out.push_back(
        {"unsubscribe", version, kClient, packet_bytes(0xA2, bytes("0001 0003 'a/b' 0001 '#'"))});
    out.push_back({"unsuback", version, kServer, bytes("B0 02 0001")});
  }
  out.push_back({"suback 3.1", k31, kServer, bytes("90 05 0001 000102")});
  out.push_back({"suback 3.1.1", k311, kServer, bytes("90 06 0001 00010280")});
  out.push_back({"subscribe 5.0", k5, kClient,
                 packet_bytes(0x82, bytes("0001 00 0003 'a/b' 00 000A '$share/g/a' 2A"))});
  out.push_back({"subscribe 5.0, all", k5, kClient,
                 packet_bytes(0x82, bytes("FFFF") +
                                        block_bytes(bytes("0B 8001") + bytes(kTwoUserProperties)) +
                                        bytes("0001 '+' 1D"))});
  out.push_back({"suback 5.0", k5, kServer, bytes("90 07 0001 00 00 01 02 80")});
  out.push_back({"suback 5.0, all", k5, kServer,
                 packet_bytes(0x90, bytes("0001") + reason_and_users() + bytes("8F 97"))});
  out.push_back({"unsubscribe 5.0, all", k5, kClient,
                 packet_bytes(0xA2, bytes("0001") + block_bytes(bytes(kTwoUserProperties)) +
                                        bytes("000A '$share/g/a' 0001 '+'"))});
  out.push_back({"unsuback 5.0, all", k5, kServer,
                 packet_bytes(0xB0, bytes("0001") + reason_and_users() + bytes("00 11 87"))});
}

inline void add_the_rest(std::vector<SamplePacket>& out) {
  for (const ProtocolVersion version : {k31, k311, k5}) {
    out.push_back({"pingreq", version, kClient, bytes("C0 00")});
    out.push_back({"pingresp", version, kServer, bytes("D0 00")});
    out.push_back({"disconnect", version, kClient, bytes("E0 00")});
  }
  out.push_back({"disconnect 5.0, with will", k5, kClient, bytes("E0 01 04")});
  out.push_back({"disconnect 5.0, session expiry", k5, kClient,
                 packet_bytes(0xE0, bytes("00") + block_bytes(bytes("11 00000000")))});
  out.push_back({"disconnect 5.0 of a server", k5, kServer, bytes("E0 01 8E")});
  out.push_back({"disconnect 5.0 of a server, all", k5, kServer,
                 packet_bytes(0xE0, bytes("9C") + block_bytes(bytes("1F 0003 'why'") +
                                                              bytes(kTwoUserProperties) +
                                                              bytes("1C 0004 'host'")))});
  out.push_back(
      {"auth", k5, kClient, packet_bytes(0xF0, bytes("19") + block_bytes(bytes("15 0001 'm'")))});
  out.push_back(
      {"auth, all", k5, kServer,
       packet_bytes(0xF0, bytes("00") + block_bytes(bytes("15 0001 'm' 16 0002 0000 1F 0000") +
                                                    bytes(kTwoUserProperties)))});
}

}  // namespace sample_packets_detail

inline const std::vector<SamplePacket>& sample_packets() {
  using namespace sample_packets_detail;
  static const std::vector<SamplePacket> packets = [] {
    std::vector<SamplePacket> out;
    add_connects(out);
    add_connacks(out);
    add_publishes(out);
    add_acks(out);
    add_subscriptions(out);
    add_the_rest(out);
    return out;
  }();
  return packets;
}

}  // namespace shoal
