// What tests of durable sessions say in one line.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/broker/test_cluster.h"
#include "tests/broker/test_store.h"

namespace shoal::test {

// Its session outlives its connection, and goes on if there is one.
inline ConnectOptions durable(std::string client_id,
                              ProtocolVersion version = ProtocolVersion::kMqtt5,
                              std::function<void(Connect&)> edit = nullptr) {
  return {.client_id = std::move(client_id),
          .version = version,
          .clean_start = false,
          .edit = [edit = std::move(edit)](Connect& c) {
            if (c.version == ProtocolVersion::kMqtt5) c.session_expiry_s = 1000;
            if (edit) edit(c);
          }};
}

inline uint16_t packet_id_in(const std::string& line) {
  const size_t at = line.find(" id");
  if (at != std::string::npos) return static_cast<uint16_t>(std::stoi(line.substr(at + 3)));
  return static_cast<uint16_t>(std::stoi(line.substr(line.find(' ') + 1)));
}

// What was received, without the packet identifiers that the store chooses; these go to `ids`.
inline std::vector<std::string> take(TestClient& client, std::vector<uint16_t>* ids = nullptr) {
  std::vector<std::string> lines;
  for (std::string& line : client.take()) {
    if (const size_t at = line.find(" id"); at != std::string::npos) {
      if (ids) ids->push_back(packet_id_in(line));
      const size_t end = line.find(' ', at + 1);
      line.erase(at, end == std::string::npos ? std::string::npos : end - at);
    } else if (line.starts_with("PUBREL ")) {
      if (ids) ids->push_back(packet_id_in(line));
      const size_t end = line.find(' ', 7);
      line.erase(6, end == std::string::npos ? std::string::npos : end - 6);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace shoal::test
