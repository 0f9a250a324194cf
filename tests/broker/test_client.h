// A client of the broker under test: packets go in encoded, what comes back is decoded and told as
// one line of text a packet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "node/codec/decode.h"
#include "node/codec/encode.h"
#include "shoal/types.h"

namespace shoal::test {

constexpr ProtocolVersion k31 = ProtocolVersion::kMqtt31;
constexpr ProtocolVersion k311 = ProtocolVersion::kMqtt311;
constexpr ProtocolVersion k5 = ProtocolVersion::kMqtt5;

struct TestClient {
  size_t broker = 0;  // position in the TestCluster
  ConnId conn;
  ProtocolVersion version = ProtocolVersion::kMqtt5;
  bool reads = true;    // false: what the broker sends stays in its output
  bool closed = false;  // by the broker
  bool paused = false;  // the broker does not want to read it
  std::vector<uint8_t> received;
  size_t bytes_received = 0;

  // The packets received since the last call, "PUBLISH a/b hello q1 id1" for instance.
  std::vector<std::string> take();
  // The bytes themselves, for what text does not show.
  std::vector<std::vector<uint8_t>> take_frames();
};

std::string describe(const std::vector<uint8_t>& frame, ProtocolVersion version);

}  // namespace shoal::test
