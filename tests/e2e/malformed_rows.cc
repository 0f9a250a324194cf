// Prints the tables of tests/codec that a server must refuse, or wait for: a row a line, tabs between:
// version of the protocol (3, 4, 5), first or connected, bytes in hex, reason code, the answer
// (connack4, connack5, disconnect, nothing, wait), name.
#include <cstdio>

#include "tests/codec/malformed_packets.h"
#include "tests/codec/malformed_properties.h"
#include "tests/codec/unfinished_packets.h"

namespace {

using namespace shoal;

std::string hex_digits(const Bytes& bytes) {
  std::string text = hex_of(bytes);
  std::erase(text, ' ');
  return text;
}

std::string answer_of(const MalformedCase& row) {
  switch (row.answer) {
    case Answer::kConnAck: return "connack" + std::to_string(static_cast<int>(*row.answer_as));
    case Answer::kDisconnect: return "disconnect";
    case Answer::kNothing: return "nothing";
  }
  return "";
}

void print(ProtocolVersion version, Phase phase, const Bytes& bytes, ReasonCode reason,
           const std::string& answer, const std::string& name) {
  std::printf("%d\t%s\t%s\t%d\t%s\t%s\n", static_cast<int>(version),
              phase == Phase::kFirst ? "first" : "connected", hex_digits(bytes).c_str(),
              static_cast<int>(reason), answer.c_str(), name.c_str());
}

}  // namespace

int main() {
  for (const auto& table : {malformed_packets(), malformed_properties()}) {
    for (const MalformedCase& row : table) {
      print(row.version, row.phase, row.bytes, row.reason, answer_of(row), row.name);
    }
  }
  for (const UnfinishedCase& row : unfinished_packets()) {
    print(row.version, row.phase, row.bytes, ReasonCode::kSuccess, "wait", row.name);
  }
  return 0;
}
